//! AWS Secrets Manager: the only room but the stores and `bin/` that knows AWS.
//!
//! The SDK's default chain builds an STS client and reads the system's root
//! store on each cold start; a function has its credentials in its
//! environment and needs neither. So its configuration is put together here,
//! over the HTTP client that we have anyway.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_secretsmanager::operation::batch_get_secret_value::BatchGetSecretValueOutput;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use tokio::task::JoinSet;

use super::Secret;
use super::vault::{Kept, Refusal};
use crate::wire::client::{Client as Http, Failure};

/// `BatchGetSecretValue` takes no more names at once.
const BATCH: usize = 20;
/// The label of the version that is in use. AWSPENDING, which a rotation puts on
/// a value that is still being made, is never asked for.
const CURRENT: &str = "AWSCURRENT";
/// Lambda gives an init ten seconds; a clear failure must fit into them.
const PATIENCE: Duration = Duration::from_secs(8);
const ATTEMPT: Duration = Duration::from_secs(3);
const SERVICE: &str = "Secrets Manager";

/// What the environment says about AWS.
#[derive(Clone)]
pub struct Account {
    /// `AWS_REGION`.
    pub region: String,
    /// `AWS_ACCESS_KEY_ID`.
    pub access_key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: String,
    /// `AWS_SESSION_TOKEN`, which Lambda always sets.
    pub session_token: Option<String>,
    /// `AWS_ENDPOINT_URL_SECRETS_MANAGER` or `AWS_ENDPOINT_URL_STS`, or else `AWS_ENDPOINT_URL`: an
    /// emulator in tests.
    pub endpoint: Option<String>,
}

/// AWS Secrets Manager of one account and region.
pub struct SecretsManager {
    client: Client,
}

impl SecretsManager {
    /// Asks with the account's credentials, through `http`.
    pub fn new(account: Account, http: Http) -> Self {
        Self { client: Client::new(&configure(account, http)) }
    }

    /// Reads the current values of `ids`. One secret is one `GetSecretValue`;
    /// several are one `BatchGetSecretValue` for every 20 of them.
    pub async fn read(&self, ids: &[&str]) -> Result<BTreeMap<String, Kept>, Vec<Refusal>> {
        if let [id] = ids {
            let kept = self.read_one((*id).to_owned()).await.map_err(|refusal| vec![refusal])?;
            return Ok(BTreeMap::from([kept]));
        }
        let mut batches = JoinSet::new();
        for ids in ids.chunks(BATCH) {
            let (this, ids) = (Self { client: self.client.clone() }, owned(ids));
            batches.spawn(async move { this.read_batch(ids).await });
        }
        gather(batches).await
    }

    async fn read_batch(&self, ids: Vec<String>) -> Result<Vec<(String, Kept)>, Vec<Refusal>> {
        let request = self.client.batch_get_secret_value().set_secret_id_list(Some(ids.clone()));
        match request.send().await {
            Ok(output) => pick(&ids, output),
            Err(error) if error.code() == Some("AccessDeniedException") => self.read_each(ids).await,
            Err(error) => Err(vec![Refusal::new(ids.join("`, `"), explain(SERVICE, &error))]),
        }
    }

    /// For a role that may read its secrets and not `BatchGetSecretValue`.
    async fn read_each(&self, ids: Vec<String>) -> Result<Vec<(String, Kept)>, Vec<Refusal>> {
        let mut reads = JoinSet::new();
        for id in ids {
            let this = Self { client: self.client.clone() };
            reads.spawn(async move {
                this.read_one(id).await.map(|kept| vec![kept]).map_err(|refusal| vec![refusal])
            });
        }
        gather(reads).await.map(|kept| kept.into_iter().collect())
    }

    async fn read_one(&self, id: String) -> Result<(String, Kept), Refusal> {
        let request = self.client.get_secret_value().secret_id(&id).version_stage(CURRENT);
        match request.send().await {
            Ok(output) => {
                let kept = keep(&id, output.secret_string, output.version_id)?;
                Ok((id, kept))
            }
            Err(error) => Err(Refusal::new(&id, explain(SERVICE, &error))),
        }
    }
}

/// How a service of AWS is asked: with the account's credentials, through `http`.
pub fn configure(account: Account, http: Http) -> SdkConfig {
    let Account { region, access_key_id, secret_access_key, session_token, endpoint } = account;
    let credentials = Credentials::new(access_key_id, secret_access_key, session_token, None, "environment");
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(Adapter(http))
        .retry_config(RetryConfig::standard())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .timeout_config(
            TimeoutConfig::builder().operation_timeout(PATIENCE).operation_attempt_timeout(ATTEMPT).build(),
        );
    config.set_endpoint_url(endpoint);
    config.build()
}

fn owned(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

type Reads = JoinSet<Result<Vec<(String, Kept)>, Vec<Refusal>>>;

/// All that was found, or all that was refused.
async fn gather(mut reads: Reads) -> Result<BTreeMap<String, Kept>, Vec<Refusal>> {
    let (mut found, mut refusals) = (BTreeMap::new(), Vec::new());
    while let Some(read) = reads.join_next().await {
        match read {
            Ok(Ok(kept)) => found.extend(kept),
            Ok(Err(more)) => refusals.extend(more),
            Err(_) => refusals.push(Refusal::new("*", "reading it ended unexpectedly")),
        }
    }
    if refusals.is_empty() { Ok(found) } else { Err(refusals) }
}

/// The asked values out of a batch, which names them as it likes.
fn pick(ids: &[String], output: BatchGetSecretValueOutput) -> Result<Vec<(String, Kept)>, Vec<Refusal>> {
    let mut refusals: Vec<Refusal> = output
        .errors
        .unwrap_or_default()
        .into_iter()
        .map(|error| {
            let why = error.message.or(error.error_code).unwrap_or_else(|| "it cannot be read".to_owned());
            Refusal::new(error.secret_id.unwrap_or_else(|| "*".to_owned()), why)
        })
        .collect();
    let mut found = Vec::new();
    for entry in output.secret_values.unwrap_or_default() {
        let named = |id: &&String| is_named(id, entry.name.as_deref(), entry.arn.as_deref());
        // One secret may be asked for twice, by its name and by its ARN.
        for id in ids.iter().filter(named) {
            match keep(id, entry.secret_string.clone(), entry.version_id.clone()) {
                Ok(kept) => found.push((id.clone(), kept)),
                Err(refusal) => refusals.push(refusal),
            }
        }
    }
    if refusals.is_empty() { Ok(found) } else { Err(refusals) }
}

/// A secret is asked for by its name, its ARN, or its ARN without the six
/// random characters at the end.
fn is_named(id: &str, name: Option<&str>, arn: Option<&str>) -> bool {
    let partial = |arn: &str| {
        arn.strip_prefix(id).and_then(|rest| rest.strip_prefix('-')).is_some_and(|rest| rest.len() == 6)
    };
    name == Some(id) || arn.is_some_and(|arn| arn == id || partial(arn))
}

fn keep(id: &str, text: Option<String>, version: Option<String>) -> Result<Kept, Refusal> {
    match text {
        Some(text) => Ok(Kept { text: Secret::new(text), version }),
        None => Err(Refusal::new(id, "it holds bytes and no text; store it as a string")),
    }
}

/// What went wrong, in words that never hold a value: the service's own where
/// it says no, ours where its answer cannot be read. The SDK's would quote
/// that answer, and the secret in it.
pub fn explain<E: ProvideErrorMetadata, R>(service: &str, error: &SdkError<E, R>) -> String {
    match error {
        SdkError::ServiceError(refusal) => match (refusal.err().code(), refusal.err().message()) {
            (Some(code), Some(message)) => format!("{service} says {code}: {message}"),
            (Some(code), None) => format!("{service} says {code}"),
            (None, _) => format!("{service}'s answer cannot be read"),
        },
        SdkError::DispatchFailure(failure) => {
            let words = failure.as_connector_error().and_then(failure_in).map(ToString::to_string);
            format!("{service} cannot be reached: {}", words.as_deref().unwrap_or("the request failed"))
        }
        SdkError::TimeoutError(_) => format!("{service} did not answer within {}s", PATIENCE.as_secs()),
        SdkError::ConstructionFailure(_) => format!("the request to {service} could not be made"),
        _ => format!("{service}'s answer cannot be read"),
    }
}

/// Our own client's words, which it has stripped of URLs.
fn failure_in(error: &ConnectorError) -> Option<&Failure> {
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        if let Some(failure) = cause.downcast_ref() {
            return Some(failure);
        }
        next = cause.source();
    }
    None
}

/// Lets the SDK use our HTTP client: one TLS stack in the binary.
#[derive(Debug, Clone)]
struct Adapter(Http);

impl HttpClient for Adapter {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Adapter {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.0.clone();
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            let request = request.map(|body| bytes::Bytes::copy_from_slice(body.bytes().unwrap_or_default()));
            let response =
                client.exchange(request).await.map_err(|error| ConnectorError::io(error.into()))?;
            HttpResponse::try_from(response.map(SdkBody::from))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_under_each_of_its_names() {
        let arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/github-AbCdEf";
        let check = |id: &str, expected: bool| {
            assert_eq!(is_named(id, Some("prod/github"), Some(arn)), expected, "{id}")
        };
        check("prod/github", true);
        check(arn, true);
        check("arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/github", true);
        check("arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/git", false);
        check("prod/gitlab", false);
    }
}
