//! Signatures, compared with those that their inventors publish.

use bytes::Bytes;
use http::{HeaderMap, Method};

use super::*;

fn recipe(over: &str, format: &str) -> Hmac {
    Hmac {
        key: "key".parse().unwrap(),
        key_encoding: KeyEncoding::Text,
        algorithm: Algorithm::Sha256,
        over: over.parse().unwrap(),
        header: HeaderName::from_static("x-signature"),
        format: format.parse().unwrap(),
        encoding: Encoding::Hex,
        timestamp: Timestamp::Seconds,
        timestamp_header: Some(HeaderName::from_static("x-time")),
        id_header: Some(HeaderName::from_static("x-id")),
    }
}

/// The headers of a signed `POST`.
fn signed(
    hmac: &Hmac,
    key: &str,
    (id, url, body): (&str, &str, &[u8]),
    seconds: u64,
) -> Result<HeaderMap, Problem> {
    let (mut url, mut headers, mut body) =
        (url.parse().unwrap(), HeaderMap::new(), Bytes::copy_from_slice(body));
    let mut draft =
        Draft { id, method: &Method::POST, url: &mut url, headers: &mut headers, body: &mut body };
    hmac.sign(&Secret::new(key), &mut draft, UNIX_EPOCH + Duration::from_secs(seconds))?;
    Ok(headers)
}

fn signature(hmac: &Hmac, key: &str, request: (&str, &str, &[u8]), seconds: u64) -> String {
    signed(hmac, key, request, seconds).ok().unwrap()["x-signature"].to_str().unwrap().to_owned()
}

const NOWHERE: &str = "https://a.example/";

/// docs.slack.dev, "Verifying requests from Slack".
#[test]
fn slack_would_know_its_own_signature() {
    let body = b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow\
        &channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect\
        &text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN\
        &trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    let slack = recipe("v0:{timestamp}:{body}", "v0={signature}");
    let found = signature(&slack, "8f742231b10e8888abcd99yyyzzz85a5", ("r", NOWHERE, body), 1_531_420_618);
    assert_eq!(found, "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503");
}

/// standardwebhooks.com, the specification's own example.
#[test]
fn standard_webhooks_would_verify_it() {
    let (id, time) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330);
    let mut webhook = recipe("{id}.{timestamp}.{body}", "v1,{signature}");
    (webhook.key_encoding, webhook.encoding) = (KeyEncoding::Base64, Encoding::Base64);
    for key in ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
        let headers = signed(&webhook, key, (id, NOWHERE, br#"{"test": 2432232314}"#), time).ok().unwrap();
        assert_eq!(headers["x-signature"], "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(
            (&headers["x-id"], &headers["x-time"]),
            (&id.parse().unwrap(), &time.to_string().parse().unwrap())
        );
        assert!(headers.values().all(http::HeaderValue::is_sensitive));
    }
}

/// docs.stripe.com, "Verify webhook signatures manually": the scheme. It has no
/// example with a key, so the value is what Python's `hmac` makes of it.
#[test]
fn stripe_signs_the_time_beside_it() {
    let stripe = recipe("{timestamp}.{body}", "t={timestamp},v1={signature}");
    let found = signature(
        &stripe,
        "whsec_test_secret",
        ("r", NOWHERE, b"{\n  \"id\": \"evt_test_webhook\",\n  \"object\": \"event\"\n}"),
        1_495_999_758,
    );
    assert_eq!(found, "t=1495999758,v1=6340073448544f68e8673f5d451fd66d10b9facf9c1c36f23c174994d49f2091");
}

/// RFC 4231 §4.3 and RFC 2202 §3, test case 2.
#[test]
fn each_hash_is_that_of_the_standards() {
    let check = |algorithm, expected: &str| {
        let mut hmac = recipe("{body}", "{signature}");
        hmac.algorithm = algorithm;
        let found = signature(&hmac, "Jefe", ("r", NOWHERE, b"what do ya want for nothing?"), 0);
        assert_eq!(found, expected, "{algorithm:?}");
        hmac.key_encoding = KeyEncoding::Hex;
        assert_eq!(
            signature(&hmac, "4a656665", ("r", NOWHERE, b"what do ya want for nothing?"), 0),
            expected
        );
    };
    check(Algorithm::Sha1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    check(Algorithm::Sha256, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    check(
        Algorithm::Sha384,
        "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
    );
    check(
        Algorithm::Sha512,
        "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fd\
         caeab1a34d4a6b4b636e070a38bce737",
    );
}

#[test]
fn each_part_of_the_request_can_be_signed() {
    let url = "https://a.example/v1/caf%C3%A9?b=2&a=1";
    let check = |over: &str, signed: &str| {
        let (ours, plain) = (recipe(over, "{signature}"), recipe("{body}", "{signature}"));
        let found = signature(&ours, "secret-key", ("id-1", url, b"\xff{}"), 1_000_000_000);
        let bytes: Vec<u8> = signed.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
        assert_eq!(found, signature(&plain, "secret-key", ("", NOWHERE, &bytes), 0), "{over}");
    };
    check("{timestamp}", "1000000000");
    check("{id}", "id-1");
    check("{method}", "POST");
    check("{path}", "/v1/caf%C3%A9");
    check("{query}", "b=2&a=1");
    check("{target}", "/v1/caf%C3%A9?b=2&a=1");
    check("{body}", "\u{ff}{}");
    check("{method} {path}\n{timestamp}", "POST /v1/caf%C3%A9\n1000000000");
}

#[test]
fn the_time_is_written_as_it_is_wanted() {
    let check = |timestamp: Timestamp, expected: &str| {
        assert_eq!(timestamp.write(UNIX_EPOCH + Duration::from_millis(1_531_420_618_123)), expected);
    };
    check(Timestamp::Seconds, "1531420618");
    check(Timestamp::Milliseconds, "1531420618123");
    check(Timestamp::Rfc3339, "2018-07-12T18:36:58Z");
}

#[test]
fn a_key_that_is_not_written_as_declared_signs_nothing() {
    for (encoding, key) in [
        (KeyEncoding::Hex, "0g"),
        (KeyEncoding::Hex, "012"),
        (KeyEncoding::Base64, "%%%"),
        (KeyEncoding::Base64, "whsec_"),
    ] {
        let mut hmac = recipe("{body}", "{signature}");
        hmac.key_encoding = encoding;
        let problem = signed(&hmac, key, ("r", NOWHERE, b""), 0).unwrap_err();
        let cause = problem.cause().unwrap();
        assert!(cause.contains("`key`") && !cause.contains(key), "{cause}");
    }
}
