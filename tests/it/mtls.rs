//! An upstream that asks for a client certificate at the handshake.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::CertificateDer;

use crate::tls::Tls;
use crate::world::{Setup, World};

/// Who may vouch for clients, as a bank has one, or for servers.
pub struct Authority {
    pub issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    /// The certificate, for those who are to trust it.
    pub pem: String,
}

/// A certificate with its key, as PEM.
struct Client {
    certificate: CertificateDer<'static>,
    chain: String,
    key: String,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let made = params.self_signed(&key).unwrap();
        let (certificate, pem) = (made.der().clone(), made.pem());
        Self { issuer: Issuer::new(params, key), certificate, pem }
    }

    fn vouch_for(&self, name: &str) -> Client {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let signed = params.signed_by(&key, &self.issuer).unwrap();
        Client { certificate: signed.der().clone(), chain: signed.pem(), key: key.serialize_pem() }
    }
}

const ONE: &str = "{ mtls: { certificate: chain, key: private } }";

async fn world(tls: &Tls, recipe: &str, secrets: &[(&str, &str)]) -> World {
    let routes = "GET /a: { {open} }\nPOST /a: { {open} }";
    let upstream = format!("credential: {recipe}, retries: 0");
    let setup = Setup::routes(routes).at(tls.url()).trusting(tls.roots.clone()).upstream(&upstream);
    secrets.iter().fold(setup, |setup, (name, value)| setup.secret(name, value)).start().await
}

#[tokio::test]
async fn an_upstream_that_asks_for_a_certificate_sees_ours() {
    let authority = Authority::new();
    let us = authority.vouch_for("countersign");
    for protocol in ["h2", "http/1.1"] {
        let tls = Tls::asking(&[protocol], Some(authority.certificate.clone())).await;
        // As it comes out of a field of one line, or of JSON.
        let (chain, key) = (us.chain.replace('\n', " "), us.key.replace('\n', "\\n"));
        let world = world(&tls, ONE, &[("chain", &chain), ("private", &key)]).await;
        for _ in 0..3 {
            assert_eq!(world.get("/a").send().await.verdict(), "200", "{protocol}");
        }
        assert_eq!(tls.peers(), std::slice::from_ref(&us.certificate), "{protocol}: one connection for all");
        let used: Vec<_> =
            world.record()["secrets"].as_array().unwrap().iter().map(|s| s["name"].clone()).collect();
        assert_eq!(used, ["chain", "private"]);
    }
}

#[tokio::test]
async fn who_has_no_certificate_does_not_get_in() {
    let (authority, stranger) = (Authority::new(), Authority::new().vouch_for("countersign"));
    let tls = Tls::asking(&["http/1.1"], Some(authority.certificate.clone())).await;
    let none = world(&tls, "{ bearer: key }", &[]).await;
    assert_eq!(none.get("/a").send().await.verdict(), "502 upstream_unreachable");
    let other = world(&tls, ONE, &[("chain", &stranger.chain), ("private", &stranger.key)]).await;
    assert_eq!(other.get("/a").send().await.verdict(), "502 upstream_unreachable");
    assert!(tls.upstream.seen().is_empty());
}

/// A connection says who we are for as long as it lasts.
#[tokio::test]
async fn each_identity_has_connections_of_its_own() {
    let authority = Authority::new();
    let (reader, writer) = (authority.vouch_for("reader"), authority.vouch_for("writer"));
    let tls = Tls::asking(&["h2"], Some(authority.certificate.clone())).await;
    let recipe = "[{ when: '.method == \"POST\"', mtls: { certificate: b, key: b-key } }, \
                   { mtls: { certificate: a, key: a-key } }]";
    let secrets =
        [("a", &*reader.chain), ("a-key", &*reader.key), ("b", &*writer.chain), ("b-key", &*writer.key)];
    let world = world(&tls, recipe, &secrets).await;
    for method in ["GET", "POST", "GET", "POST"] {
        assert_eq!(world.ask(method, "/a").send().await.verdict(), "200");
    }
    assert_eq!(tls.peers(), [reader.certificate, writer.certificate]);
}

#[tokio::test]
async fn a_key_of_another_certificate_is_refused_and_nothing_is_sent() {
    let authority = Authority::new();
    let (us, them) = (authority.vouch_for("us"), authority.vouch_for("them"));
    let tls = Tls::asking(&["h2"], Some(authority.certificate.clone())).await;
    let world = world(&tls, ONE, &[("chain", &us.chain), ("private", &them.key)]).await;
    assert_eq!(world.get("/a").send().await.verdict(), "503 secret_unavailable");
    let cause = world.record()["cause"].as_str().unwrap().to_owned();
    assert!(cause.starts_with("secret `private`: the client certificate and its key"), "{cause}");
    assert_eq!(tls.upstream.connections(), 0);
}
