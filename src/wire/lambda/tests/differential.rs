//! Against `lambda_http`, where its conversion is faithful: payload 2.0 and
//! load balancers that send single values.

use std::collections::BTreeMap;

use lambda_http::RequestExt;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

type Grouped = BTreeMap<String, Vec<String>>;

/// `lambda_http` keeps the order of one name's values, not of the names.
fn grouped<'p>(pairs: impl Iterator<Item = (&'p str, &'p str)>) -> Grouped {
    let mut groups = Grouped::new();
    pairs.for_each(|(name, value)| groups.entry(name.to_owned()).or_default().push(value.to_owned()));
    groups
}

fn agree(event: &Value) {
    let ours = read(event);
    let theirs = lambda_http::request::from_str(&event.to_string()).unwrap();
    assert_eq!(&ours.method, theirs.method(), "{event}");
    assert_eq!(ours.path, theirs.raw_http_path(), "{event}");
    assert_eq!(&ours.headers, theirs.headers(), "{event}");
    assert_eq!(ours.body.as_ref(), &theirs.body()[..], "{event}");
    let parameters = theirs.query_string_parameters();
    assert_eq!(grouped(query(&ours).into_iter()), grouped(parameters.iter()), "{event}");
}

fn encoded() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[a-z0-9_.~!*()-]{1,4}",
        Just("+".to_owned()),
        Just("%20".to_owned()),
        Just("%3F".to_owned()),
        Just("%C3%A9".to_owned()),
    ];
    proptest::collection::vec(piece, 1..4).prop_map(|pieces| pieces.concat())
}

fn headers() -> impl Strategy<Value = Vec<(String, String)>> {
    proptest::collection::vec(("x-[a-z]{1,6}", "[ -~]{0,12}"), 0..6)
}

proptest! {
    #[test]
    fn payload_two_is_read_alike(
        method in "GET|POST|PATCH|OPTIONS",
        path in "(/[a-z0-9%~._-]{0,6}){1,4}",
        query in proptest::collection::vec((encoded(), encoded()), 0..5),
        headers in headers(),
        cookies in proptest::collection::vec("[a-z]{1,4}=[a-z0-9]{0,4}", 1..4),
        body in proptest::option::of(any::<String>()),
    ) {
        let query: Vec<String> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        agree(&json!({
            "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query.join("&"),
            "headers": BTreeMap::from_iter(headers), "cookies": cookies, "body": body, "isBase64Encoded": false,
            "requestContext": {
                "accountId": "1", "apiId": "a", "domainName": "d", "domainPrefix": "d", "requestId": "r",
                "routeKey": "$default", "stage": "$default", "timeEpoch": 0,
                "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "::1", "userAgent": "u"},
            },
        }));
    }

    #[test]
    fn a_load_balancer_is_read_alike(
        method in "GET|POST|PUT|DELETE",
        path in "(/[a-z0-9%~._-]{0,6}){1,4}",
        // Plain names: two spellings of one name would come in any order from a hash map.
        query in proptest::collection::btree_map("[a-z]{1,4}", encoded(), 0..5),
        headers in headers(),
        body in proptest::collection::vec(any::<u8>(), 0..16),
    ) {
        use base64::Engine;
        agree(&json!({
            "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:x"}},
            "httpMethod": method, "path": path, "queryStringParameters": query,
            "headers": BTreeMap::from_iter(headers),
            "body": base64::engine::general_purpose::STANDARD.encode(body), "isBase64Encoded": true,
        }));
    }
}
