//! An upstream behind TLS, with a certificate that nobody signed.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

use crate::upstream::{Upstream, say};
use crate::world::file;

pub struct Tls {
    pub upstream: Upstream,
    /// What trusts it.
    pub roots: PathBuf,
}

impl Tls {
    /// A server for `localhost` that speaks these protocols (ALPN names).
    pub async fn start(protocols: &[&str]) -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let (upstream, listener) = Upstream::bind(Arc::new(|_| say(200).body("safe"))).await;
        let (server, acceptor) = (upstream.clone(), TlsAcceptor::from(Arc::new(config)));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                server.count();
                let (server, acceptor) = (server.clone(), acceptor.clone());
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        server.serve(stream).await;
                    }
                });
            }
        });
        Self { upstream, roots: file("roots.pem", &made.cert.pem()) }
    }

    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.upstream.address.port())
    }
}
