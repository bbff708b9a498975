//! Whom the proxy connects to: trusted by TLS, and out on the internet.

use countersign::config;
use http::Version;

use crate::tls::Tls;
use crate::upstream::Upstream;
use crate::world::{Setup, World};

const ROUTE: &str = "GET /a: { {open} }";

async fn facing(tls: &Tls, trusted: bool) -> World {
    let setup = Setup::routes(ROUTE).upstream("credential: { bearer: key }, retries: 0").at(tls.url());
    if trusted { setup.trusting(tls.roots.clone()).start().await } else { setup.start().await }
}

#[tokio::test]
async fn a_certificate_of_unknown_origin_is_refused() {
    let tls = Tls::start(&["h2", "http/1.1"]).await;
    let world = facing(&tls, false).await;
    assert_eq!(world.get("/a").send().await.verdict(), "502 upstream_unreachable");
    assert!(tls.upstream.seen().is_empty());
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let tls = Tls::start(&["h2", "http/1.1"]).await;
    let url = tls.url().replace("localhost", "127.0.0.1");
    let world = Setup::routes(ROUTE).at(url).trusting(tls.roots.clone()).start().await;
    assert_eq!(world.get("/a").send().await.verdict(), "502 upstream_unreachable");
    assert!(tls.upstream.seen().is_empty());
}

#[tokio::test]
async fn a_root_of_our_own_is_accepted_and_one_connection_serves_all() {
    let check = async |protocols: &[&str], expected: Version| {
        let tls = Tls::start(protocols).await;
        let world = facing(&tls, true).await;
        for _ in 0..5 {
            assert_eq!(world.get("/a").send().await.text(), "safe", "{protocols:?}");
        }
        let versions: Vec<Version> = tls.upstream.seen().iter().map(|seen| seen.version).collect();
        assert_eq!(versions, [expected; 5], "{protocols:?}");
        assert_eq!(tls.upstream.connections(), 1, "{protocols:?}");
    };
    check(&["h2", "http/1.1"], Version::HTTP_2).await;
    check(&["http/1.1"], Version::HTTP_11).await;
    check(&[], Version::HTTP_11).await;
}

#[tokio::test]
async fn requests_at_once_share_an_http2_connection() {
    let tls = Tls::start(&["h2"]).await;
    let world = facing(&tls, true).await;
    world.get("/a").send().await;
    tokio::join!(world.get("/a").send(), world.get("/a").send(), world.get("/a").send());
    assert_eq!((tls.upstream.seen().len(), tls.upstream.connections()), (4, 1));
}

#[tokio::test]
async fn a_name_that_leads_to_a_private_address_is_not_connected_to() {
    let upstream = Upstream::start(std::sync::Arc::new(|_| crate::upstream::say(200))).await;
    let url = format!("http://localhost:{}", upstream.address.port());
    let open = Setup::routes(ROUTE).at(url.clone()).start().await;
    assert_eq!(open.get("/a").send().await.verdict(), "200");
    let public = Setup::routes(ROUTE).upstream("retries: 0").at(url).public_only().start().await;
    assert_eq!(public.get("/a").send().await.verdict(), "502 upstream_unreachable");
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn an_address_in_a_private_network_is_a_flaw_in_every_spelling() {
    let check = |host: &str, fine: bool| {
        let text = Setup::routes(ROUTE).text(&format!("https://{host}"));
        let text = text.replace("dangerous_private_network: true", "dangerous_private_network: false");
        assert_eq!(config::read(&text).is_ok(), fine, "{host}");
    };
    check("api.example.com", true);
    check("140.82.121.6", true);
    for host in [
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "2130706433",
        "0177.0.0.1",
        "0",
        "10.1.2.3",
        "169.254.169.254",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[fd00:ec2::254]",
        "[64:ff9b::a9fe:a9fe]",
        "localhost",
        "LOCALHOST.",
        "a.localhost",
        "printer.local",
        "db.internal",
        "①②⑦.0.0.1",
    ] {
        check(host, false);
    }
}
