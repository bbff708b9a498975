//! AWS Signature Version 4: for AWS itself, and for all who sign as it does.
//!
//! Applied last, to the request as it goes out: URL, headers and body. The
//! secret key never goes out.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SessionTokenMode, SignableBody, SignableRequest,
    SignatureLocation, SigningInstructions, SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use http::{HeaderName, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::sync::Mutex;
use tokio::time::{timeout, timeout_at};
use url::Url;

use super::armed::{Used, sensitive};
use super::{Armed, Draft, Means, unavailable};
use crate::secret::SecretRef;
use crate::secret::key::KeyEncoding;
use crate::secret::vault::Slot;
use crate::wire::Problem;

pub use crate::secret::role::Keys;

/// How a request is signed.
pub struct Sigv4 {
    /// The name that the service has in signatures: `execute-api`, `s3`.
    pub service: String,
    /// The region that it is in.
    pub region: String,
    /// Whose keys sign.
    pub signer: Signer,
    /// Where the signature goes.
    pub form: Form,
    /// Whether the body is signed.
    pub payload: Payload,
}

/// Keys of a role that was taken on.
pub struct Lent {
    keys: Keys,
    /// Until when no others are asked for, since it failed.
    pause: SystemTime,
}

/// Whose keys sign.
pub enum Signer {
    /// The function's own role.
    Own,
    /// A role that the function takes on, and its keys while they last.
    Assumed {
        /// Its ARN.
        role: String,
        /// Whoever fetches them holds the lock: the others wait for the same ones.
        kept: Mutex<Option<Lent>>,
    },
    /// Keys out of secrets.
    Given {
        /// The access key's id.
        access_key_id: SecretRef,
        /// The secret key.
        secret_access_key: SecretRef,
        /// What comes with keys that are lent for a while.
        session_token: Option<SecretRef>,
    },
}

/// Where the signature goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Into headers.
    Header,
    /// Into the query, good for this long.
    Query(Duration),
}

/// Whether the body is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload {
    /// It is.
    Signed,
    /// `UNSIGNED-PAYLOAD`, which S3 and a few others take.
    Unsigned,
}

/// Keys that last less than this are fetched anew; until they do not last at
/// all they serve where that fails.
const EARLY: Duration = Duration::from_secs(5 * 60);

/// How long fetching them may hold up a call that the old ones would do for.
const RENEWAL: Duration = Duration::from_secs(2);

/// After a failure the old ones serve so long before it is tried again.
const PAUSE: Duration = Duration::from_secs(10);

/// How long it may take at all; no call lasts longer.
const LONGEST: Duration = Duration::from_mins(15);

/// All but the unreserved characters (RFC 3986 §2.3), as AWS writes a query.
const QUERY: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Whether a query parameter is a part of signatures.
pub(super) fn is_own_param(name: &str) -> bool {
    name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("x-amz-"))
}

impl Sigv4 {
    pub(super) fn wants(&self) -> Vec<(&SecretRef, Slot, bool)> {
        let Signer::Given { access_key_id, secret_access_key, session_token } = &self.signer else {
            return Vec::new();
        };
        let token = session_token.iter().map(|token| (token, Slot::Header, true));
        [(access_key_id, Slot::Header, true), (secret_access_key, Slot::Key(KeyEncoding::Text), true)]
            .into_iter()
            .chain(token)
            .collect()
    }

    /// Whether it needs to know whom the function is at AWS.
    pub fn needs_role(&self) -> bool {
        !matches!(self.signer, Signer::Given { .. })
    }

    /// The keys to sign with, which the answer is searched for.
    pub(super) async fn keys(&self, means: &Means<'_>, armed: &mut Armed<'_>) -> Result<Keys, Problem> {
        let keys = match &self.signer {
            Signer::Given { access_key_id, secret_access_key, session_token } => {
                let mut take = |reference| armed.take(reference, means.vault);
                let token = session_token.as_ref().map(&mut take).transpose()?;
                return Ok(Keys::new(take(access_key_id)?, take(secret_access_key)?, token));
            }
            Signer::Own => means.role.map(|role| role.own().clone()).ok_or_else(nobody)?,
            Signer::Assumed { role, kept } => assumed(role, kept, means).await?,
        };
        armed.was_used(&[Used { name: ROLE.to_owned(), version: None }]);
        for secret in keys.iter() {
            armed.derived(ROLE, secret.clone());
        }
        Ok(keys)
    }

    /// Signs a request as it is, at a time.
    pub(super) fn sign(&self, keys: &Keys, draft: &mut Draft<'_>, now: SystemTime) -> Result<(), Problem> {
        // Only S3 takes no hash of the body in a query's signature.
        let unsigned = self.payload == Payload::Unsigned || (self.is_s3() && self.form != Form::Header);
        if self.is_s3() {
            spell_out(draft.url);
        }
        let how = How { settings: self.settings(), body: !unsigned, now };
        let signature = self.signature(keys, draft, draft.url.as_str(), how)?;
        for (name, value) in signature.headers() {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unsignable())?;
            draft.headers.insert(name, sensitive(value)?);
        }
        extend(draft, signature.params())
    }

    /// What must be added to a request to this URL.
    fn signature(
        &self,
        keys: &Keys,
        draft: &Draft<'_>,
        url: &str,
        how: How,
    ) -> Result<SigningInstructions, Problem> {
        let token = keys.session_token.as_ref().map(|token| token.expose().to_owned());
        let (id, key) = (keys.access_key_id.expose(), keys.secret_access_key.expose());
        let identity = Credentials::new(id, key, token, None, "countersign").into();
        let params =
            v4::SigningParams::builder().identity(&identity).region(&self.region).name(&self.service);
        let params = params.time(how.now).settings(how.settings).build().map_err(|_| unsignable())?.into();
        // What is no text reaches the upstream all the same, and is not signed.
        let headers = draft
            .headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), std::str::from_utf8(value.as_bytes()).ok()?)));
        let body = if how.body { SignableBody::Bytes(draft.body) } else { SignableBody::UnsignedPayload };
        let request = SignableRequest::new(draft.method.as_str(), url, headers, body);
        // The crate's own words could quote the request.
        let signed = request.and_then(|request| sign(request, &params)).map_err(|_| unsignable())?;
        Ok(signed.into_parts().0)
    }

    fn settings(&self) -> SigningSettings {
        let mut settings = SigningSettings::default();
        // Proxies on the way may say this anew.
        settings
            .excluded_headers
            .get_or_insert_default()
            .push(Cow::Borrowed(header::ACCEPT_ENCODING.as_str()));
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        if let Form::Query(lasts) = self.form {
            settings.signature_location = SignatureLocation::QueryParams;
            settings.expires_in = Some(lasts);
        }
        // The keys of S3's objects are encoded once, and dots in them are no steps.
        if self.is_s3() {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        }
        if self.service == "iotdevicegateway" {
            settings.session_token_mode = SessionTokenMode::Exclude;
        }
        settings
    }

    fn is_s3(&self) -> bool {
        ["s3", "s3-object-lambda", "s3-outposts", "s3express"].contains(&self.service.as_str())
    }
}

/// Writes the path as S3 reads it when it verifies: only unreserved characters
/// stand for themselves there.
fn spell_out(url: &mut Url) {
    const BARE: AsciiSet = QUERY.remove(b'/').remove(b'%');
    let path = utf8_percent_encode(url.path(), &BARE).to_string();
    url.set_path(&path);
}

/// How and when a request is signed.
struct How {
    settings: SigningSettings,
    /// Whether the body is signed.
    body: bool,
    now: SystemTime,
}

/// What the record calls the function's role, and a role that it takes on.
const ROLE: &str = "aws:role";

/// The keys of a role that the function takes on.
async fn assumed(role: &str, kept: &Mutex<Option<Lent>>, means: &Means<'_>) -> Result<Keys, Problem> {
    let own = means.role.ok_or_else(nobody)?;
    let fetching = async {
        let mut kept = kept.lock().await;
        let good = kept.as_ref().filter(|lent| lent.keys.last(means.now)).map(|lent| lent.keys.clone());
        let is_early = |lent: &Lent| lent.keys.last(means.now + EARLY) || means.now < lent.pause;
        if let Some(keys) = good.clone().filter(|_| kept.as_ref().is_some_and(is_early)) {
            return Ok(keys);
        }
        let patience = if good.is_some() { RENEWAL } else { LONGEST };
        let asked = timeout(patience, own.assume(role)).await;
        match asked.unwrap_or_else(|_| Err("AWS Security Token Service did not answer in time".to_owned())) {
            Ok(keys) => Ok(kept.insert(Lent { keys, pause: SystemTime::UNIX_EPOCH }).keys.clone()),
            Err(why) => {
                kept.iter_mut().for_each(|lent| lent.pause = means.now + PAUSE);
                good.ok_or_else(|| unavailable(why))
            }
        }
    };
    let late = |_| unavailable("there was no time left to take on the role");
    timeout_at(means.deadline, fetching).await.map_err(late)?
}

/// Adds the signature's parameters to the query.
fn extend(draft: &mut Draft<'_>, pairs: &[(&str, Cow<'static, str>)]) -> Result<(), Problem> {
    if pairs.is_empty() {
        return Ok(());
    }
    let mut query = draft.url.query().unwrap_or_default().to_owned();
    for (name, value) in pairs {
        let joint = if query.is_empty() { "" } else { "&" };
        query.push_str(&format!("{joint}{name}={}", utf8_percent_encode(value, &QUERY)));
    }
    draft.url.set_query(Some(&query));
    if draft.url.query() == Some(&query) { Ok(()) } else { Err(unsignable()) }
}

fn nobody() -> Problem {
    unavailable("the function has no AWS credentials of its own")
}

fn unsignable() -> Problem {
    unavailable("the request could not be signed")
}

#[cfg(test)]
mod tests;
