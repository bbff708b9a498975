//! The one HTTP client: pooled, HTTP/2 where the other side speaks it, TLS by
//! rustls with the roots compiled in.
//!
//! It follows no redirect, reads no proxy from the environment, speaks no TLS
//! before 1.2 (RFC 8996), and connects to no private address unless its host
//! was declared to be at one.

mod reach;

use std::fmt;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use reqwest::redirect::Policy;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use url::Url;

pub use reach::Reach;
use reach::{NotPublic, Resolver};

/// A connection that was idle longer may have been cut while the
/// environment was frozen; a new one is cheaper than a failed request.
const IDLE: Duration = Duration::from_secs(50);
/// A host that does not take a connection by then is down.
const CONNECT: Duration = Duration::from_secs(5);
/// What we call ourselves, as many APIs demand.
const USER_AGENT: &str = concat!("countersign/", env!("CARGO_PKG_VERSION"));

/// A pooled HTTPS client. Cloning it shares the pool.
#[derive(Clone)]
pub struct Client {
    pooled: reqwest::Client,
    /// What another one is made of that shows a certificate.
    roots: Roots,
    reach: Reach,
}

/// Who we are to an upstream that asks for a client certificate.
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    /// Out of PEM (RFC 7468): the certificate first, then those between it and
    /// a root; and the private key in PKCS#8, PKCS#1 or SEC 1.
    ///
    /// # Errors
    /// What cannot be read, without a word of it.
    pub fn from_pem(chain: &str, key: &str) -> Result<Self, String> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain.as_bytes()).collect();
        let chain = chain.map_err(|_| "the client certificate cannot be read")?;
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes());
        Ok(Self { chain, key: key.map_err(|_| "the private key cannot be read")? })
    }
}

/// The trust anchors, read once and shared by all clients.
#[derive(Clone)]
pub struct Roots(Arc<RootCertStore>);

impl Roots {
    /// Mozilla's roots, compiled in, and those of `extra`, a PEM file.
    pub fn new(extra: Option<&Path>) -> Result<Self, String> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let Some(path) = extra else { return Ok(Self(Arc::new(roots))) };
        let say = |why: String| format!("COUNTERSIGN_EXTRA_CA: {}: {why}", path.display());
        let certificates = CertificateDer::pem_file_iter(path).map_err(|error| say(error.to_string()))?;
        for certificate in certificates {
            let certificate = certificate.map_err(|error| say(error.to_string()))?;
            roots.add(certificate).map_err(|error| say(error.to_string()))?;
        }
        Ok(Self(Arc::new(roots)))
    }
}

/// Why there is no answer. Its words never hold a URL.
#[derive(Debug)]
pub enum Failure {
    /// No connection, or one that broke before an answer was complete.
    Unreachable(String),
    /// Whoever is there is not to be talked to: the certificate or the TLS is
    /// not good, or the address is not public. Another try would find the same.
    Untrusted(String),
    /// What came is no HTTP.
    Invalid(String),
    /// The body is longer than was allowed.
    TooLarge,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) | Self::Untrusted(why) | Self::Invalid(why) => f.write_str(why),
            Self::TooLarge => f.write_str("the answer is too large"),
        }
    }
}

impl std::error::Error for Failure {}

/// Says nothing of the identity.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("reach", &self.reach).finish_non_exhaustive()
    }
}

impl Client {
    /// A client that trusts `roots` and connects as far as `reach` allows.
    pub fn new(roots: &Roots, reach: Reach) -> Result<Self, String> {
        Self::with(roots.clone(), reach, None)
    }

    /// One that is the same, and shows a certificate. Its connections are its own.
    ///
    /// # Errors
    /// The certificate and the key do not belong together, or are of a kind that is not known.
    pub fn identified(&self, identity: Identity) -> Result<Self, String> {
        Self::with(self.roots.clone(), self.reach.clone(), Some(identity))
    }

    fn with(roots: Roots, reach: Reach, identity: Option<Identity>) -> Result<Self, String> {
        let pooled = pool(tls(&roots, identity)?, Resolver::new(reach.clone()))?;
        Ok(Self { pooled, roots, reach })
    }

    /// Sends a request and waits for the head of the answer.
    pub async fn open(&self, request: Request<Bytes>, url: Url) -> Result<Response<Incoming>, Failure> {
        self.reach.admit(&url).map_err(|refused| Failure::Untrusted(refused.to_string()))?;
        let (parts, body) = request.into_parts();
        let mut request = reqwest::Request::new(parts.method, url);
        *request.headers_mut() = parts.headers;
        if !body.is_empty() {
            *request.body_mut() = Some(body.into());
        }
        let mut response = self.pooled.execute(request).await.map_err(failure)?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let mut head = Response::new(Incoming(response));
        *head.status_mut() = status;
        *head.headers_mut() = headers;
        Ok(head)
    }

    /// Sends a request that has its URL in it, AWS's, and reads the whole answer.
    pub async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Failure> {
        let url =
            Url::parse(&request.uri().to_string()).map_err(|_| Failure::Invalid("no URL".to_owned()))?;
        let (head, body) = self.open(request, url).await?.into_parts();
        Ok(Response::from_parts(head, body.whole(usize::MAX).await?))
    }
}

fn pool(tls: ClientConfig, resolver: Resolver) -> Result<reqwest::Client, String> {
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .dns_resolver(Arc::new(resolver))
        .redirect(Policy::none())
        .no_proxy()
        .referer(false)
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT)
        .pool_idle_timeout(IDLE)
        .build();
    client.map_err(|error| error.without_url().to_string())
}

fn tls(roots: &Roots, identity: Option<Identity>) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let tls = tls.map_err(|error| error.to_string())?.with_root_certificates(Arc::clone(&roots.0));
    let mut tls = match identity {
        None => tls.with_no_client_auth(),
        Some(Identity { chain, key }) => tls
            .with_client_auth_cert(chain, key)
            .map_err(|error| format!("the client certificate and its key cannot be used: {error}"))?,
    };
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(tls)
}

/// A body that the other side has still to send.
#[derive(Debug)]
pub struct Incoming(reqwest::Response);

impl Incoming {
    /// The next chunk; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        self.0.chunk().await.map_err(failure)
    }

    /// The body up to `limit` bytes, or the failure that cut it short: never
    /// a part of it.
    pub async fn whole(mut self, limit: usize) -> Result<Bytes, Failure> {
        let limit_u64 = u64::try_from(limit).unwrap_or(u64::MAX);
        if self.0.content_length().is_some_and(|length| limit_u64 < length) {
            return Err(Failure::TooLarge);
        }
        let Some(first) = self.next().await? else { return Ok(Bytes::new()) };
        let Some(second) = self.next().await? else { return within(first, limit) };
        let mut body = BytesMut::from(first);
        body.extend_from_slice(&second);
        while let Some(chunk) = self.next().await? {
            if limit < body.len() {
                return Err(Failure::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        within(body.freeze(), limit)
    }
}

fn within(body: Bytes, limit: usize) -> Result<Bytes, Failure> {
    if limit < body.len() { Err(Failure::TooLarge) } else { Ok(body) }
}

/// reqwest's words without the URL, which may hold a credential, down to the
/// first cause; and whether the other side talks nonsense, is not who it
/// should be, or does not talk at all.
fn failure(error: reqwest::Error) -> Failure {
    let error = error.without_url();
    let connected = !error.is_connect();
    let (mut why, mut invalid, mut untrusted) = (String::new(), false, false);
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(cause) = next {
        if !why.is_empty() {
            why.push_str(": ");
        }
        why.push_str(&cause.to_string());
        untrusted |= is_distrust(cause);
        invalid |= is_nonsense(cause) || (connected && is_bad_framing(cause));
        next = cause.source();
    }
    match (untrusted, invalid) {
        (true, _) => Failure::Untrusted(why),
        (false, true) => Failure::Invalid(why),
        (false, false) => Failure::Unreachable(why),
    }
}

/// Whether we ended it ourselves, for who is there.
fn is_distrust(cause: &(dyn std::error::Error + 'static)) -> bool {
    use rustls::Error::{InvalidCertificate, NoCertificatesPresented, PeerIncompatible};
    let refused =
        |error| matches!(error, &(InvalidCertificate(_) | NoCertificatesPresented | PeerIncompatible(_)));
    cause.is::<NotPublic>() || tls_error(cause).is_some_and(refused)
}

fn is_nonsense(cause: &(dyn std::error::Error + 'static)) -> bool {
    cause.downcast_ref::<hyper::Error>().is_some_and(|error| error.is_parse())
}

/// What hyper says of chunks that are none (RFC 9112 §7.1). rustls says the
/// same of certificates, theirs while connecting and ours soon after.
fn is_bad_framing(cause: &(dyn std::error::Error + 'static)) -> bool {
    let Some(error) = cause.downcast_ref::<std::io::Error>() else { return false };
    let framing = matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::InvalidData);
    framing && tls_error(cause).is_none()
}

/// What rustls says, which comes within one or two errors of reading or writing.
fn tls_error<'e>(cause: &'e (dyn std::error::Error + 'static)) -> Option<&'e rustls::Error> {
    let inner = cause.downcast_ref::<std::io::Error>()?.get_ref()?;
    inner.downcast_ref().or_else(|| tls_error(inner))
}
