//! Lists of recipes: all apply, or the first entry that is `for` this caller
//! and `when` this request.

use crate::upstream::{Seen, say};
use crate::world::{CANARY, PASSWORD, Setup, USER, World};

const ROUTES: &str = "\
GET /a: { {open}, request: { query: [q], headers: any } }
POST /a: { {open} }
GET /members: { allow: [members], upstream: api, request: { headers: any } }";

/// An upstream that repeats all it hears.
async fn world(credential: &str) -> World {
    let echo = |seen: &Seen| {
        let words = format!("{:?} {}", seen.headers, seen.target);
        say(200).body(format!("{words} {USER} {PASSWORD} {CANARY}"))
    };
    Setup::routes(ROUTES).upstream(&format!("credential: {credential}")).answer(echo).start().await
}

#[tokio::test]
async fn each_caller_and_request_is_armed_with_its_own() {
    let world = world(
        "[{ for: [members], header: { name: X-Who, value: { secret: pair.user } } }, \
          { when: '.method == \"POST\"', header: { name: X-Who, value: { secret: pair.password } } }, \
          { for: [website], when: '$request.query.q == \"2\"', all: [{ header: { name: X-Who, value: b } }, { bearer: key }] }, \
          { bearer: key }]",
    )
    .await;
    let check = async |method: &str, target: &str, who: &[&str], bearer: bool| {
        let answer = world.ask(method, target).header("x-who", "mine").send().await;
        assert_eq!(answer.verdict(), "200", "{method} {target}");
        let seen = world.upstream.seen().pop().unwrap();
        assert_eq!(seen.all("x-who"), who, "{method} {target}");
        assert_eq!(seen.all("authorization").len(), usize::from(bearer), "{method} {target}");
        // What other calls carried lately is looked for too.
        for (secret, carried) in
            [(USER, who.contains(&USER)), (PASSWORD, who.contains(&PASSWORD)), (CANARY, bearer)]
        {
            assert!(!carried || !answer.shows(secret), "{method} {target} {secret}");
        }
    };
    for _ in 0..2 {
        check("GET", "/members", &[USER], false).await;
        check("POST", "/a", &[PASSWORD], false).await;
        check("GET", "/a?q=2", &["b"], true).await;
        check("GET", "/a", &[], true).await;
    }
}

#[tokio::test]
async fn a_call_that_no_entry_is_for_is_refused_and_not_sent() {
    let check = async |credential: &str, target: &str, cause: &str| {
        let world = world(credential).await;
        assert_eq!(world.get(target).send().await.verdict(), "403 condition_not_met", "{credential}");
        assert!(world.record()["cause"].as_str().unwrap().contains(cause), "{}", world.record());
        assert!(world.upstream.seen().is_empty(), "{credential}");
    };
    check("{ for: [members], bearer: key }", "/a", "no entry").await;
    check("{ when: 'false', bearer: key }", "/a", "no entry").await;
    check("[{ when: '.query.q | test(\"a\")', bearer: key }, { bearer: key }]", "/a", "ended with an error")
        .await;
    check("[{ for: [website], when: 'empty', bearer: key }, { bearer: key }]", "/a", "0 values").await;
}
