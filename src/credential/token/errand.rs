//! What it takes to go for a token: the values of secrets, a way out, and
//! the time. All of it is lent for one request.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Request, Response};
use tokio::time::Instant;
use url::Url;
use zeroize::Zeroizing;

use super::Refused;
use crate::credential::Value;
use crate::secret::vault::Found;
use crate::secret::{Secret, SecretRef};
use crate::wire::client::{Client, Failure};

/// Going for a token on behalf of one request.
#[derive(Clone, Copy)]
pub struct Errand<'a> {
    /// The vault's current value of a secret.
    pub find: &'a (dyn Fn(&SecretRef) -> Option<Found> + Sync),
    /// The way out.
    pub line: Line<'a>,
    /// The time of the request.
    pub now: SystemTime,
    /// When the request must be over.
    pub deadline: Instant,
    /// The request's id, of which ids of assertions are made: it is unique
    /// among all environments, as they must be.
    pub id: &'a str,
}

/// The way out to token endpoints.
#[derive(Clone, Copy)]
pub enum Line<'a> {
    /// The client that upstreams are called with, which guards where it leads.
    Client(&'a Client),
    /// A play of one: tests of time need an endpoint without sockets.
    #[cfg(test)]
    Played(&'a super::tests::Played),
}

impl Line<'_> {
    /// Sends a request and reads the whole answer, up to `limit` bytes.
    pub(super) async fn send(
        self,
        request: Request<Bytes>,
        url: Url,
        limit: usize,
    ) -> Result<Response<Bytes>, Failure> {
        match self {
            Self::Client(client) => {
                let (head, body) = client.open(request, url).await?.into_parts();
                Ok(Response::from_parts(head, body.whole(limit).await?))
            }
            #[cfg(test)]
            Self::Played(played) => played.send(request, &url, limit).await,
        }
    }
}

impl Errand<'_> {
    /// The value of a secret.
    pub(super) fn secret(&self, reference: &SecretRef) -> Result<Secret, Refused> {
        let found = (self.find)(reference);
        let missing = || Refused::Unready(format!("secret `{reference}` is not in the vault"));
        found.map(|found| found.secret).ok_or_else(missing)
    }

    /// The text of a value that may be secret.
    pub(super) fn text(&self, value: &Value) -> Result<Zeroizing<String>, Refused> {
        Ok(Zeroizing::new(match value {
            Value::Text(text) => text.clone(),
            Value::Secret { secret, format: None } => self.secret(secret)?.expose().to_owned(),
            Value::Secret { secret, format: Some(words) } => {
                words.replacen("{}", self.secret(secret)?.expose(), 1)
            }
        }))
    }

    /// How long after 1970 it is.
    pub(super) fn epoch(&self) -> Duration {
        self.now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }
}
