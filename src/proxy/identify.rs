//! Stage 3: who is calling, and how we know.
//!
//! A caller who proves nothing is *anonymous*. An `Origin`, an address or an
//! API key is no proof: each can be had by anybody who watches a page at work.
//! A token is one, and is looked at where the route is open to somebody who
//! shows one; elsewhere it is nobody's business. It never goes upstream.

use std::time::SystemTime;

use http::{HeaderMap, header};
use tokio::time::{Instant, timeout_at};

use super::authorize::Policy;
use crate::identity::{Issuers, Reason, Refusal, Verified};
use crate::wire::Request;

/// Somebody who calls. Made here and nowhere else.
#[derive(Debug)]
pub struct Caller<'i> {
    proof: Proof<'i>,
}

/// How we know. A closed set, so an enum.
#[derive(Debug)]
pub(super) enum Proof<'i> {
    /// We do not: whoever it is, has shown nothing.
    None,
    /// They show a token, and it is not taken.
    Refused(Refusal),
    /// They show a token that one of the issuers has signed, for us and for now.
    Token(Box<Verified<'i>>),
}

impl<'i> Caller<'i> {
    #[cfg(test)]
    pub(super) fn nobody() -> Self {
        Self { proof: Proof::None }
    }

    pub(super) fn proof(&self) -> &Proof<'i> {
        &self.proof
    }
}

/// Who sent a request, as of `now`. The issuer's keys are waited for until `until`.
pub async fn identify<'i>(
    request: &Request,
    policy: &Policy,
    issuers: &'i Issuers,
    (now, until): (SystemTime, Instant),
) -> Caller<'i> {
    let proof = match bearer(&request.headers) {
        _ if !policy.wants_proof() => Proof::None,
        Ok(None) => Proof::None,
        Ok(Some(token)) => match timeout_at(until, issuers.verify(token, now)).await {
            Ok(Ok(verified)) => Proof::Token(Box::new(verified)),
            Ok(Err(refusal)) => Proof::Refused(refusal),
            Err(_) => {
                let detail = "there was no time left to ask the token's issuer for its keys";
                Proof::Refused(Refusal::new(Reason::KeysUnavailable, detail))
            }
        },
        Err(refusal) => Proof::Refused(refusal),
    };
    Caller { proof }
}

/// The token of `Authorization: Bearer …` (RFC 6750 §2.1). Other schemes prove nothing here.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), another) = (values.next(), values.next()) else { return Ok(None) };
    if another.is_some() {
        let detail = "the header `authorization` came more than once";
        return Err(Refusal::new(Reason::Malformed, detail));
    }
    let Some((scheme, token)) = value.to_str().ok().and_then(|value| value.split_once(' ')) else {
        return Ok(None);
    };
    Ok(scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_matches(' ')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_what_follows_bearer() {
        let check = |sent: &[&str], expected: Result<Option<&str>, Reason>| {
            let mut headers = HeaderMap::new();
            for value in sent {
                headers.append(header::AUTHORIZATION, value.parse().unwrap());
            }
            assert_eq!(bearer(&headers).map_err(|refusal| refusal.code), expected, "{sent:?}");
        };
        check(&[], Ok(None));
        check(&["Bearer a.b.c"], Ok(Some("a.b.c")));
        check(&["bEARER  a.b.c "], Ok(Some("a.b.c")));
        check(&["Bearer "], Ok(Some("")));
        check(&["Bearer"], Ok(None));
        check(&["Basic YTpi"], Ok(None));
        check(&["Bearer a.b.c", "Bearer a.b.c"], Err(Reason::Malformed));
    }
}
