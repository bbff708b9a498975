//! Links in answers: a caller who follows them stays with us, and never sees
//! where the upstream is or what we prove ourselves with.

use crate::upstream::{Seen, say};
use crate::world::{APP, CANARY, OURS, Setup, World};

/// An upstream that answers with this header, `{up}` being its own address.
fn says(setup: Setup, name: &'static str, value: &str) -> Setup {
    let value = value.to_owned();
    setup.answer(move |seen: &Seen| {
        let up = format!("http://{}", seen.all("host").concat());
        say(200).with(name, &value.replace("{up}", &up))
    })
}

/// What a caller of `GET /a` gets of an upstream's `location`.
async fn location(routes: &str, sent: &str) -> Option<String> {
    let world = says(Setup::routes(routes), "location", sent).start().await;
    world.get("/a").send().await.header("location")
}

/// Which page was asked for.
fn page(seen: &Seen) -> u32 {
    let pairs = seen.query();
    pairs.iter().find(|(name, _)| name == "page").map_or(1, |(_, page)| page.parse().unwrap())
}

/// Pages as GitHub does, over four of them.
async fn github(routes: &str) -> World {
    let script = |seen: &Seen| {
        let (page, up) =
            (page(seen), format!("http://{}/v3/user/repos?sort=pushed", seen.all("host").concat()));
        let last = format!("<{up}&page=4>; rel=\"last\"");
        let next = format!("<{up}&page={}>; rel=\"next\"; title=\"a, b\"", page + 1);
        let link = if page < 4 { format!("{next}, {last}") } else { format!("<{up}&page=1>; rel=\"first\"") };
        say(200).with("link", &link).body(format!("page {page}"))
    };
    Setup::routes(routes).base("/v3").answer(script).start().await
}

/// Where `rel="next"` leads, as a client library reads it.
fn next(link: &str) -> Option<String> {
    let (before, _) = link.split_once(">; rel=\"next\"")?;
    before.rsplit_once('<').map(|(_, url)| url.to_owned())
}

#[tokio::test]
async fn the_next_page_is_reached_through_us_until_the_end() {
    let world =
        github("GET /my-repos: { {open}, path: /user/repos, request: { query: [page, sort] } }").await;
    let mut target = Some("/my-repos?sort=pushed".to_owned());
    let mut bodies = Vec::new();
    while let Some(asked) = target.take() {
        let answer = world.get(&asked).from(APP).send().await;
        assert_eq!(answer.verdict(), "200", "{asked}");
        assert!(!answer.shows(&world.upstream.address.to_string()), "{answer:?}");
        bodies.push(answer.text());
        let link = answer.header("link").unwrap();
        assert!(answer.header("access-control-expose-headers").unwrap().contains("link"));
        target = next(&link).map(|url| url.strip_prefix(OURS).expect("it is ours").to_owned());
        if bodies.len() == 1 {
            let expected = format!(
                "<{OURS}/my-repos?sort=pushed&page=2>; rel=\"next\"; title=\"a, b\", <{OURS}/my-repos?sort=pushed&page=4>; rel=\"last\""
            );
            assert_eq!(link, expected);
        }
    }
    assert_eq!(bodies, ["page 1", "page 2", "page 3", "page 4"]);
}

#[tokio::test]
async fn a_link_that_no_route_serves_is_dropped_and_the_others_stay() {
    let value = "<{up}/items?page=2>; rel=\"next\", <{up}/items?secret_filter=1>; rel=\"x\", <https://docs.example/a,b>; rel=\"help\", \
                 <{up}/admin>; rel=\"up\", nonsense, <?page=9>; rel=\"last\"";
    let routes = "GET /a: { {open}, path: /items, request: { query: [page] } }";
    let world = says(Setup::routes(routes), "link", value).start().await;
    let link = world.get("/a?page=1").send().await.header("link").unwrap();
    assert_eq!(link, format!("<{OURS}/a?page=2>; rel=\"next\", <{OURS}/a?page=9>; rel=\"last\""));
    let routes =
        "GET /a: { {open}, path: /items, request: { query: [page] }, response: { headers: [link] } }";
    let world = says(Setup::routes(routes), "link", value).start().await;
    let link = world.get("/a").send().await.header("link").unwrap();
    let up = format!("http://{}", world.upstream.address);
    let expected = value.replace("{up}/items?page=2", &format!("{OURS}/a?page=2"));
    assert_eq!(link, expected.replace("{up}", &up).replace("<?page=9>", &format!("<{OURS}/a?page=9>")));
}

#[tokio::test]
async fn several_link_headers_are_read_one_by_one() {
    let script = |_: &Seen| {
        say(200).with("link", "</b>; rel=b").with("link", "</none>; rel=x").with("link", "</a>; rel=\"a\"")
    };
    let world = Setup::routes("GET /a: { {open} }\nGET /b: { {open} }").answer(script).start().await;
    let answer = world.get("/a").send().await;
    let lines: Vec<_> = answer.0.headers().get_all("link").iter().map(|v| v.to_str().unwrap()).collect();
    assert_eq!(lines, [format!("<{OURS}/b>; rel=b"), format!("<{OURS}/a>; rel=\"a\"")]);
}

#[tokio::test]
async fn a_location_leads_to_the_route_that_serves_it() {
    let routes = "\
GET /a: { {open}, path: /v1/a, request: { query: [q] } }
GET /items/{id}: { {open}, path: '/v1/things/{id}/view' }
GET /items/new: { {open}, path: /v1/new }
ANY /files/{path+}: { {open}, path: '/v1/files/{path}', methods: [GET, PUT] }
POST /made: { {open}, path: /v1/made }
GET /npm/{name}: { {open}, path: '/v1/npm/{name}', encoded_slash: keep }";
    let check = async |sent: &str, expected: Option<&str>| {
        let expected = expected.map(|path| format!("{OURS}{path}"));
        assert_eq!(location(routes, sent).await, expected, "{sent}");
    };
    check("{up}/v1/a", Some("/a")).await;
    check("/v1/a?q=x%20y%26&q=%2B#part", Some("/a?q=x%20y%26&q=%2B#part")).await;
    check("a?q=1", Some("/a?q=1")).await;
    check("", Some("/a")).await;
    check("./things/7%20a/view", Some("/items/7%20a")).await;
    check("{up}/v1/things/%E2%98%95/view", Some("/items/%E2%98%95")).await;
    check("{up}/v1/files/x/y%3Fz/", Some("/files/x/y%3Fz/")).await;
    check("{up}/v1/npm/@a%2Fb", Some("/npm/@a%2Fb")).await;
    // That path of ours is another route's.
    check("{up}/v1/things/new/view", None).await;
    // Not a GET; a query or a path that the routes do not take; what no path of ours may hold.
    for sent in [
        "/v1/made",
        "/v1/a?r=1",
        "/v1/a?q=%FF",
        "/v1",
        "/v1/things/a%2Fb/view",
        "/v1/things//view",
        "/v1/files/a//b",
        "/v1/files/%252e",
    ] {
        check(sent, None).await;
    }
}

#[tokio::test]
async fn a_url_of_another_place_passes_only_where_it_is_declared() {
    for sent in [
        "https://evil.example/a",
        "//evil.example/a",
        "javascript:alert(1)",
        "https://127.0.0.1/a",
        "http://u:p@127.0.0.1/a",
    ] {
        assert_eq!(location("GET /a: { {open} }", sent).await, None, "{sent}");
        let declared = "GET /a: { {open}, response: { headers: [location] } }";
        assert_eq!(location(declared, sent).await.as_deref(), Some(sent), "{sent}");
    }
}

#[tokio::test]
async fn the_base_path_of_the_upstream_is_not_ours() {
    let check = async |sent: &str, expected: Option<&str>| {
        let setup = Setup::routes("GET /a: { {open} }\nGET /b: { {open} }").base("/base/v3/");
        let world = says(setup, "location", sent).start().await;
        let found = world.get("/a").send().await.header("location");
        assert_eq!(found, expected.map(|path| format!("{OURS}{path}")), "{sent}");
    };
    check("{up}/base/v3/b", Some("/b")).await;
    check("b", Some("/b")).await;
    check("{up}/base/v3/x/../b", Some("/b")).await;
    check("{up}/b", None).await;
    check("{up}/base/v33/b", None).await;
    check("{up}/base/v3", None).await;
}

#[tokio::test]
async fn our_address_is_what_the_owner_says_or_the_gateway_or_left_out() {
    let setup = Setup::routes("GET /a: { {open}, request: { query: [page] } }");
    let mut world = says(setup, "link", "<?page=2>; rel=next").start().await;
    let link = async |world: &World, told| {
        world.get("/a").header("host", "evil.example").reached_at(told).send().await.header("link").unwrap()
    };
    assert_eq!(link(&world, Some("https://x.example/v1")).await, "<https://x.example/v1/a?page=2>; rel=next");
    assert_eq!(link(&world, None).await, "</a?page=2>; rel=next");
    world.proxy.public_url = Some("https://owner.example".to_owned());
    assert_eq!(link(&world, Some(OURS)).await, "<https://owner.example/a?page=2>; rel=next");
}

#[tokio::test]
async fn a_credential_in_the_query_stays_behind() {
    let routes = "GET /a: { {open}, request: { query: [page] } }\nGET /any/{p+}: { {open}, path: '/{p}', request: { query: any } }";
    let credential = "credential: { query: { name: access_token, value: { secret: key } } }";
    // As APIs do that put the whole query they got into their links.
    let script = |seen: &Seen| {
        say(200)
            .with("link", &format!("<{}&page=2>; rel=next, <?page=3>; rel=last, <>; rel=self", seen.target))
    };
    let world = Setup::routes(routes).upstream(credential).answer(script).start().await;
    let answer = world.get("/a").send().await;
    let expected = format!("<{OURS}/a?page=2>; rel=next, <{OURS}/a?page=3>; rel=last, <{OURS}/a>; rel=self");
    assert_eq!(answer.header("link"), Some(expected));
    let answer = world.get("/any/x?other=1").send().await;
    let expected = format!(
        "<{OURS}/any/x?other=1&page=2>; rel=next, <{OURS}/any/x?page=3>; rel=last, <{OURS}/any/x?other=1>; rel=self"
    );
    assert_eq!(answer.header("link"), Some(expected));
}

#[tokio::test]
async fn a_credential_in_the_path_stays_behind() {
    let credential = "credential: { path: { param: token, value: { secret: key } } }";
    let telegram = "GET /updates: { {open}, path: '/bot{token}/updates', request: { query: [page] } }";
    // Reads the credential's segment as a parameter of ours.
    let wide = "GET /raw/{q}: { {open}, path: '/{q}/{token}', request: { query: any } }";
    let script = |seen: &Seen| {
        let links = format!(
            "<{}?page=2>; rel=next, <?page=3>; rel=a, <?other=1>; rel=b, <photo>; rel=c",
            seen.path()
        );
        say(200).with("link", &links).with("location", "?other=1")
    };
    for routes in [telegram.to_owned(), format!("{telegram}\n{wide}")] {
        let world = Setup::routes(&routes).upstream(credential).answer(script).start().await;
        let answer = world.get("/updates").send().await;
        let expected = format!("<{OURS}/updates?page=2>; rel=next, <{OURS}/updates?page=3>; rel=a");
        assert_eq!((answer.header("link"), answer.header("location")), (Some(expected), None));
        assert!(!answer.shows(CANARY) && !answer.shows("redacted"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_redacted_url_is_dropped_also_where_it_is_declared() {
    for routes in ["GET /a: { {open} }", "GET /a: { {open}, response: { headers: [link, location] } }"] {
        let value = format!("<https://x.example/?k={CANARY}>; rel=\"x\", </a>; rel=\"a\"");
        let world = says(Setup::routes(routes), "link", &value).start().await;
        let link = world.get("/a").send().await.header("link");
        assert_eq!(link, Some(format!("<{OURS}/a>; rel=\"a\"")));
        assert_eq!(world.record()["leak"], true);
        assert_eq!(location(routes, &format!("https://x.example/?k={CANARY}")).await, None);
    }
}
