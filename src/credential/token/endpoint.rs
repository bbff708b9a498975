//! Token endpoints: asked for a bounded time, heard for a bounded length, and
//! never believed. Of what one says only its status, and of its errors only
//! the words that a standard knows, come into a record: the rest could
//! repeat the secret that it was sent.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};
use url::Url;
use url::form_urlencoded::Serializer;

use super::{Errand, Fresh};
use crate::secret::Secret;
use crate::wire::Problem;
use crate::wire::client::Failure;
use crate::wire::problem::Kind;

/// An endpoint that needs longer is down.
const PATIENCE: Duration = Duration::from_secs(10);
/// Far more than a token; GitHub lists the repositories beside it.
const LONGEST_ANSWER: usize = 1 << 20;
/// How long a token is kept whose endpoint does not say how long it is good.
const UNSAID: Duration = Duration::from_secs(60 * 60);

/// The errors of RFC 6749 §5.2 and RFC 8707 §2: the only words of an endpoint that we repeat.
const ERRORS: [&str; 7] = [
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "invalid_target",
];

/// Why there is no token. Names secrets, and never shows one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// A secret is missing, or is not what the recipe needs. Nothing was asked.
    Unready(String),
    /// The endpoint said no: its status, and its word for it where a standard has it.
    Denied(StatusCode, Option<&'static str>),
    /// The endpoint cannot be reached.
    Unreachable(String),
    /// The endpoint's answer is none, or holds no token that could be sent.
    Invalid(String),
    /// The endpoint did not answer in time.
    TooLate,
}

impl Refused {
    /// Whether the endpoint did not take what we proved ourselves with: a newer
    /// version of the secret may do better.
    pub fn blames_us(&self) -> bool {
        match self {
            Self::Denied(status, error) => {
                *status == StatusCode::UNAUTHORIZED
                    || matches!(error, Some("invalid_client" | "invalid_grant"))
            }
            Self::Unready(_) | Self::Unreachable(_) | Self::Invalid(_) | Self::TooLate => false,
        }
    }

    /// Whether the endpoint has made up its mind, and is not just in trouble.
    pub(super) fn is_no(&self) -> bool {
        matches!(self, Self::Denied(status, _) if status.is_client_error() && *status != StatusCode::TOO_MANY_REQUESTS)
    }

    pub(super) fn invalid(why: &str) -> Self {
        Self::Invalid(why.to_owned())
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unready(why) => f.write_str(why),
            Self::Denied(status, None) => write!(f, "the token endpoint said {}", status.as_u16()),
            Self::Denied(status, Some(error)) => {
                write!(f, "the token endpoint said {} {error}", status.as_u16())
            }
            Self::Unreachable(why) => write!(f, "the token endpoint: {why}"),
            Self::Invalid(why) => write!(f, "the token endpoint: {why}"),
            Self::TooLate => f.write_str("the token endpoint did not answer in time"),
        }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let (kind, detail) = match &refused {
            Refused::Unready(_) => (Kind::SecretUnavailable, "the credential for this call is not available"),
            Refused::Denied(..) => {
                (Kind::SecretUnavailable, "no access token was given out for this call; nothing was sent")
            }
            Refused::Unreachable(_) => {
                (Kind::UpstreamUnreachable, "whoever gives out access tokens for this call cannot be reached")
            }
            Refused::Invalid(_) => {
                (Kind::UpstreamInvalid, "what was given out as access token for this call is not valid")
            }
            Refused::TooLate => {
                (Kind::UpstreamTimeout, "no access token was given out for this call in time")
            }
        };
        Self::new(kind, detail).because(refused)
    }
}

/// Where tokens are had (RFC 6749 §3.2): its URL may have a query, and no fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(Url);

impl Endpoint {
    /// The host, as the URL has it.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// Whether the way there is encrypted.
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// The address, where the host is one and no name.
    pub fn address(&self) -> Option<IpAddr> {
        match self.0.host()? {
            url::Host::Domain(_) => None,
            url::Host::Ipv4(address) => Some(address.into()),
            url::Host::Ipv6(address) => Some(address.into()),
        }
    }

    /// The whole URL, as an assertion's audience names it.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The endpoint some segments further down, each of them encoded.
    pub(super) fn below(&self, segments: &[&str]) -> Self {
        let mut url = self.0.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        Self(url)
    }

    /// Asks as a client of OAuth does, with a form, and takes the token out of
    /// the answer. Headers come on top of those that all such requests have.
    pub(super) async fn grant(
        &self,
        form: &[(&str, &str)],
        headers: HeaderMap,
        errand: &Errand<'_>,
    ) -> Result<(Fresh, Option<Secret>), Refused> {
        let body = Serializer::new(String::new()).extend_pairs(form).finish();
        let mut all = HeaderMap::new();
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        all.insert(header::CONTENT_TYPE, form);
        all.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        all.extend(headers);
        Granted::read(&self.post(body, all, errand).await?)?.judge()
    }

    /// Sends a body, and gives back that of the answer, if that is a yes.
    pub(super) async fn post(
        &self,
        body: String,
        headers: HeaderMap,
        errand: &Errand<'_>,
    ) -> Result<Bytes, Refused> {
        let mut request = Request::new(Bytes::from(body));
        *request.method_mut() = Method::POST;
        *request.headers_mut() = headers;
        // Nothing is unpacked here, so nothing can burst.
        request.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let until = errand.deadline.min(Instant::now() + PATIENCE);
        let asking = errand.line.send(request, self.0.clone(), LONGEST_ANSWER);
        let answer = timeout_at(until, asking).await.map_err(|_| Refused::TooLate)?.map_err(failed)?;
        let (head, body) = answer.into_parts();
        if head.status.is_success() { Ok(body) } else { Err(denied(head.status, &body)) }
    }
}

impl From<Url> for Endpoint {
    fn from(url: Url) -> Self {
        Self(url)
    }
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Ok(url) = Url::parse(text) else {
            return Err("this is no URL; write `https://host/path`".to_owned());
        };
        if !matches!(url.scheme(), "https" | "http") || !url.has_host() {
            return Err("a token is fetched by HTTPS; write `https://host/path`".to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                "the URL holds a user name or a password; write `client_id` and `client_secret`".to_owned()
            );
        }
        if url.fragment().is_some() {
            return Err(
                "a token endpoint has no fragment; remove what follows the `#` (RFC 6749 §3.2)".to_owned()
            );
        }
        Ok(Self(url))
    }
}

fn failed(failure: Failure) -> Refused {
    match failure {
        Failure::Unreachable(why) | Failure::Untrusted(why) => Refused::Unreachable(why),
        Failure::Invalid(why) => Refused::Invalid(why),
        Failure::TooLarge => Refused::Invalid(format!("its answer is longer than {LONGEST_ANSWER} bytes")),
    }
}

fn denied(status: StatusCode, body: &[u8]) -> Refused {
    #[derive(Deserialize)]
    struct Denial<'b> {
        error: &'b str,
    }
    let denial: Option<Denial<'_>> = serde_json::from_slice(body).ok();
    let error = denial.and_then(|said| ERRORS.into_iter().find(|known| *known == said.error));
    Refused::Denied(status, error)
}

/// What RFC 6749 §5.1 says of an answer that grants a token.
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    token_type: Option<String>,
    /// Some write the number as text.
    expires_in: Option<Value>,
    refresh_token: Option<String>,
}

impl Granted {
    /// serde_json's own words could quote the token.
    fn read(body: &[u8]) -> Result<Self, Refused> {
        serde_json::from_slice(body)
            .map_err(|_| Refused::invalid("its answer is no JSON object with an `access_token`"))
    }

    /// The token, and the refresh token beside it.
    fn judge(self) -> Result<(Fresh, Option<Secret>), Refused> {
        let bearer = self.token_type.is_none_or(|kind| kind.eq_ignore_ascii_case("bearer"));
        if !bearer {
            return Err(Refused::invalid(
                "the token is no bearer token, and we know no other (RFC 6749 §7.1)",
            ));
        }
        let lifetime = self.expires_in.map_or(Some(UNSAID), |said| seconds(&said));
        let Some(lifetime) = lifetime else {
            return Err(Refused::invalid("its `expires_in` is no number of seconds"));
        };
        let refresh = self.refresh_token.filter(|token| !token.is_empty()).map(Secret::new);
        Ok((Fresh { secret: bearer_token(self.access_token)?, lifetime }, refresh))
    }
}

/// A token, if it can stand in a header (RFC 6750 §2.1).
pub(super) fn bearer_token(token: String) -> Result<Secret, Refused> {
    let legal = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    if legal { Ok(Secret::new(token)) } else { Err(Refused::invalid("the token cannot stand in a header")) }
}

fn seconds(said: &Value) -> Option<Duration> {
    match said {
        Value::Null => Some(UNSAID),
        Value::String(text) => text.trim().parse().ok().map(Duration::from_secs),
        Value::Number(number) => {
            let whole = number.as_u64().map(Duration::from_secs);
            whole.or_else(|| Duration::try_from_secs_f64(number.as_f64()?).ok())
        }
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Played, client, granted};
    use super::super::{Recipe, Source, oauth2::Grant};
    use super::*;

    fn source() -> Source {
        Source::new(Recipe::OAuth2(client(Grant::ClientCredentials)))
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_a_bearer_token_or_nothing() {
        let check = async |body: &str, expected: Result<&str, &str>| {
            let outcome = Played::saying(200, body).token(&source(), 0).await;
            match (&outcome, expected) {
                (Ok(token), Ok(text)) => assert_eq!(token.secret().expose(), text, "{body}"),
                (Err(Refused::Invalid(why)), Err(part)) => assert!(why.contains(part), "{body}: {why}"),
                _ => panic!("{body}: {:?}", outcome.err()),
            }
        };
        check(&granted(1, 3600), Ok("token-1")).await;
        check(r#"{"access_token":"abc"}"#, Ok("abc")).await;
        check(r#"{"access_token":"abc","token_type":"bearer","more":[{}]}"#, Ok("abc")).await;
        check(r#"{"access_token":"abc","expires_in":"3600"}"#, Ok("abc")).await;
        check(r#"{"access_token":"abc","expires_in":3599.5}"#, Ok("abc")).await;
        check(r#"{"access_token":"abc","expires_in":null}"#, Ok("abc")).await;
        check(r#"{"access_token":"a.b-c_d~e+f/g=="}"#, Ok("a.b-c_d~e+f/g==")).await;
        for body in
            ["", "null", "[]", "{}", "access_token=abc", r#"{"access_token":null}"#, r#"{"access_token":7}"#]
        {
            check(body, Err("no JSON object with an `access_token`")).await;
        }
        check(&format!("{}{}", "[".repeat(9999), "]".repeat(9999)), Err("no JSON object")).await;
        check(r#"{"access_token":"abc","token_type":"DPoP"}"#, Err("no bearer token")).await;
        check(r#"{"access_token":"abc","token_type":"mac"}"#, Err("no bearer token")).await;
        for seconds in ["-1", "true", "\"soon\"", "1e400", "[]"] {
            let body = format!(r#"{{"access_token":"abc","expires_in":{seconds}}}"#);
            let outcome = Played::saying(200, &body).token(&source(), 0).await;
            assert!(matches!(outcome, Err(Refused::Invalid(_))), "{seconds}");
        }
        for token in ["", "a b", "a\\r\\nx: y", "\\u0000", "é"] {
            check(&format!(r#"{{"access_token":"{token}"}}"#), Err("cannot stand in a header")).await;
        }
        let bomb = format!(r#"{{"access_token":"abc","x":"{}"}}"#, "x".repeat(LONGEST_ANSWER));
        check(&bomb, Err("longer than")).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_lifetime_that_is_not_told_is_an_hour() {
        let (source, played) = (source(), Played::saying(200, r#"{"access_token":"abc"}"#));
        for (at, count) in [(0, 1), (3539, 1), (3540, 2)] {
            played.sent(&source, at).await;
            assert_eq!(played.count(), count, "{at}");
        }
    }

    #[test]
    fn a_url_of_an_endpoint_is_where_a_secret_may_go() {
        let check = |text: &str, expected: Result<&str, &str>| {
            let parsed = text.parse::<Endpoint>();
            let parsed = parsed.as_ref().map(Endpoint::host).map_err(String::as_str);
            match expected {
                Ok(host) => assert_eq!(parsed, Ok(host), "{text}"),
                Err(part) => assert!(parsed.unwrap_err().contains(part), "{text}: {parsed:?}"),
            }
        };
        check("https://auth.example/oauth/token?tenant=1", Ok("auth.example"));
        check("http://127.0.0.1:9/token", Ok("127.0.0.1"));
        check("auth.example/token", Err("no URL"));
        check("ftp://auth.example/token", Err("HTTPS"));
        check("https://me:secret@auth.example/token", Err("client_secret"));
        check("https://auth.example/token#x", Err("fragment"));
        let below =
            |text: &str| text.parse::<Endpoint>().unwrap().below(&["app", "1/../2?x"]).as_str().to_owned();
        assert_eq!(below("https://api.example"), "https://api.example/app/1%2F..%2F2%3Fx");
        assert_eq!(below("https://api.example/v3/"), "https://api.example/v3/app/1%2F..%2F2%3Fx");
    }
}
