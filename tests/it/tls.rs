//! An upstream behind TLS, with a certificate that nobody signed. It may ask
//! for one in return.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

use crate::upstream::{Upstream, say};
use crate::world::file;

pub struct Tls {
    pub upstream: Upstream,
    /// What trusts it.
    pub roots: PathBuf,
    peers: Arc<Mutex<Vec<CertificateDer<'static>>>>,
}

impl Tls {
    /// A server for `localhost` that speaks these protocols (ALPN names).
    pub async fn start(protocols: &[&str]) -> Self {
        Self::asking(protocols, None).await
    }

    /// A server that lets in only who shows a certificate of this authority.
    pub async fn asking(protocols: &[&str], authority: Option<CertificateDer<'static>>) -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let config = config.with_safe_default_protocol_versions().unwrap();
        let config = match authority {
            None => config.with_no_client_auth(),
            Some(authority) => {
                let mut known = RootCertStore::empty();
                known.add(authority).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(known), provider);
                config.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let mut config = config.with_single_cert(vec![made.cert.der().clone()], key).unwrap();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        Self::serve(config, file("roots.pem", &made.cert.pem())).await
    }

    /// A server as this says it, which whoever knows `roots` trusts.
    pub async fn serve(config: ServerConfig, roots: PathBuf) -> Self {
        let (upstream, listener) = Upstream::bind(Arc::new(|_| say(200).body("safe"))).await;
        let (server, acceptor) = (upstream.clone(), TlsAcceptor::from(Arc::new(config)));
        let peers = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&peers);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                server.count();
                let (server, acceptor, seen) = (server.clone(), acceptor.clone(), Arc::clone(&seen));
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
                        seen.lock().unwrap().extend(shown.cloned().map(CertificateDer::into_owned));
                        server.serve(stream).await;
                    }
                });
            }
        });
        Self { upstream, roots, peers }
    }

    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.upstream.address.port())
    }

    /// The certificates that clients showed, one for each connection.
    pub fn peers(&self) -> Vec<CertificateDer<'static>> {
        self.peers.lock().unwrap().clone()
    }
}
