//! Who an upstream says it is, and how well it is said: what is not good is
//! final, and nothing is tried with less.

use std::sync::Arc;

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::mtls::Authority;
use crate::tls::Tls;
use crate::world::{Setup, World, file};

const REFUSED: &str = "502 upstream_unreachable";

/// A server with a certificate for `localhost`, signed by an authority; `with` changes it first.
async fn server(
    authority: &Authority,
    versions: &[&'static rustls::SupportedProtocolVersion],
    with: impl FnOnce(&mut CertificateParams),
) -> Tls {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    with(&mut params);
    let signed = params.signed_by(&key, &authority.issuer).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = config.with_no_client_auth().with_single_cert(vec![signed.der().clone()], key).unwrap();
    Tls::serve(config, file("roots.pem", &authority.pem)).await
}

async fn facing(tls: &Tls, recipe: &str) -> World {
    let upstream = format!("credential: {recipe}, retries: 2");
    Setup::routes("GET /a: { {open} }")
        .at(tls.url())
        .trusting(tls.roots.clone())
        .upstream(&upstream)
        .start()
        .await
}

#[tokio::test]
async fn a_certificate_that_is_not_good_ends_it_at_once() {
    let check = async |why: &str, with: fn(&mut CertificateParams)| {
        let authority = Authority::new();
        let tls = server(&authority, rustls::ALL_VERSIONS, with).await;
        let world = facing(&tls, "{ bearer: key }").await;
        let answer = world.get("/a").send().await;
        if why.is_empty() {
            return assert_eq!(answer.verdict(), "200");
        }
        assert_eq!(answer.verdict(), REFUSED, "{why}");
        let record = world.record();
        assert!(record["cause"].as_str().unwrap().contains(why), "{record}");
        assert_eq!((&record["retries"], tls.upstream.connections()), (&0.into(), 1), "{why}");
        assert!(tls.upstream.seen().is_empty(), "{why}");
    };
    check("", |_| ()).await;
    check("expired", |params| params.not_after = date_time_ymd(2020, 1, 1)).await;
    check("not valid yet", |params| params.not_before = date_time_ymd(4000, 1, 1)).await;
    check("not valid for name", |params| {
        *params = CertificateParams::new(vec!["local.host".to_owned()]).unwrap()
    })
    .await;
    check("not valid for name", |params| {
        *params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap()
    })
    .await;
    check("extended key usage", |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    })
    .await;
}

#[tokio::test]
async fn a_certificate_that_nobody_we_know_signed_ends_it_at_once() {
    let ours = file("roots.pem", &Authority::new().pem);
    let mut stranger = server(&Authority::new(), rustls::ALL_VERSIONS, |_| ()).await;
    let mut alone = Tls::start(&["h2", "http/1.1"]).await;
    for tls in [&mut stranger, &mut alone] {
        tls.roots.clone_from(&ours);
        let world = facing(tls, "{ bearer: key }").await;
        assert_eq!(world.get("/a").send().await.verdict(), REFUSED);
        assert_eq!(world.record()["retries"], 0);
        assert_eq!((tls.upstream.connections(), tls.upstream.seen().len()), (1, 0));
    }
}

/// What the upstream's key is worth, the client's secret is worth too.
#[tokio::test]
async fn a_token_endpoint_is_judged_like_an_upstream() {
    let authority = Authority::new();
    let issuer = server(&authority, rustls::ALL_VERSIONS, |p| p.not_after = date_time_ymd(2020, 1, 1)).await;
    let upstream = server(&authority, rustls::ALL_VERSIONS, |_| ()).await;
    let recipe =
        format!("{{ oauth2: {{ token_url: '{}/token', client_id: a, client_secret: key }} }}", issuer.url());
    let world = facing(&upstream, &recipe).await;
    assert_eq!(world.get("/a").send().await.verdict(), REFUSED);
    assert_eq!((issuer.upstream.connections(), upstream.upstream.connections()), (1, 0));
    assert!(issuer.upstream.seen().is_empty());
}

#[tokio::test]
async fn tls_1_2_and_1_3_are_spoken() {
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let tls = server(&Authority::new(), &[version], |_| ()).await;
        let world = facing(&tls, "{ bearer: key }").await;
        assert_eq!(world.get("/a").send().await.verdict(), "200", "{version:?}");
    }
}

/// Whatever it is said to be: a server that answers with an older version is
/// left with an alert (RFC 8446 §6.2: `protocol_version` is 70).
#[tokio::test]
async fn no_older_tls_is_spoken() {
    for version in [0x00, 0x01, 0x02] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let served = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (mut hello, mut alert) = ([0; 5], Vec::new());
            stream.read_exact(&mut hello).await.unwrap();
            let length = u16::from_be_bytes([hello[3], hello[4]]);
            stream.read_exact(&mut vec![0; length.into()]).await.unwrap();
            stream.write_all(&server_hello(version)).await.unwrap();
            drop(stream.read_to_end(&mut alert).await);
            alert
        });
        let setup = Setup::routes("GET /a: { {open} }").at(url).upstream("credential: { bearer: key }");
        let world = setup.start().await;
        assert_eq!(world.get("/a").send().await.verdict(), REFUSED, "3.{version}");
        assert_eq!(world.record()["retries"], 0);
        assert_eq!(served.await.unwrap(), [0x15, 3, 3, 0, 2, 2, 70], "3.{version}");
    }
}

/// A ServerHello (RFC 5246 §7.4.1.3) that a client of TLS 1.2 would go on from, but for its version.
fn server_hello(version: u8) -> Vec<u8> {
    const ECDHE_RSA_WITH_AES_128_GCM_SHA256: [u8; 2] = [0xc0, 0x2f];
    let head = [0x16, 3, version, 0, 42, 2, 0, 0, 38, 3, version];
    [&head[..], &[7; 32], &[0], &ECDHE_RSA_WITH_AES_128_GCM_SHA256, &[0]].concat()
}
