//! What the environment says. It comes in through a closure, so that a test
//! needs no environment, and is read in `bin/` only.

use std::path::PathBuf;

use url::Url;

use crate::secret::aws::Account;

/// The environment of a function, read and judged once.
pub struct Env {
    /// `COUNTERSIGN_CONFIG`: the file, relative to the working directory.
    pub config: PathBuf,
    /// `COUNTERSIGN_EXTRA_CA`: a PEM file of further roots.
    pub extra_ca: Option<PathBuf>,
    /// `COUNTERSIGN_PUBLIC_URL`: our base URL as callers see it.
    pub public_url: Option<String>,
    /// `AWS_LAMBDA_LOG_STREAM_NAME`: what Lambda calls this environment.
    pub environment: Option<String>,
    /// `AWS_LAMBDA_FUNCTION_NAME`: whose metrics these are.
    pub function: Option<String>,
    /// Where spans go, for a binary with the feature `otlp`.
    pub collector: Option<Collector>,
    /// `COUNTERSIGN_STREAMING`: whether to answer in Lambda's streaming mode.
    pub streaming: bool,
    /// Where the secrets are.
    pub secrets: Secrets,
    /// Where records go, if not to standard output.
    pub audit: Option<LogGroup>,
    /// Whom the function is at AWS, or what is not set. Few files need it.
    pub role: Result<Account, String>,
}

/// A collector of OpenTelemetry.
pub struct Collector {
    /// `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, or `OTEL_EXPORTER_OTLP_ENDPOINT` and `/v1/traces`.
    pub endpoint: String,
    /// `OTEL_SERVICE_NAME`: what we are called there; else the function's name.
    pub service: String,
}

/// A log group of CloudWatch Logs.
pub struct LogGroup {
    /// `COUNTERSIGN_AUDIT_LOG_GROUP`: its name.
    pub name: String,
    /// Who writes to it.
    pub account: Account,
}

/// Where the secrets are.
pub enum Secrets {
    /// In AWS Secrets Manager.
    Aws(Account),
    /// In a file on this laptop.
    File(PathBuf),
}

impl Env {
    /// Reads the environment, or says what it lacks.
    pub fn read(var: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let var = |name: &str| var(name).filter(|value| !value.is_empty());
        let path = |name: &str| var(name).map(PathBuf::from);
        Ok(Self {
            config: path("COUNTERSIGN_CONFIG").unwrap_or_else(|| PathBuf::from("countersign.yaml")),
            extra_ca: path("COUNTERSIGN_EXTRA_CA"),
            public_url: var("COUNTERSIGN_PUBLIC_URL").map(|text| public_url(&text)).transpose()?,
            environment: var("AWS_LAMBDA_LOG_STREAM_NAME"),
            function: var("AWS_LAMBDA_FUNCTION_NAME"),
            collector: collector(&var),
            streaming: streaming(var("COUNTERSIGN_STREAMING").as_deref())?,
            secrets: secrets(&var)?,
            audit: audit(&var)?,
            role: account(&var, "AWS_ENDPOINT_URL_STS"),
        })
    }
}

/// Where OpenTelemetry's own variables say that spans go.
fn collector(var: &impl Fn(&str) -> Option<String>) -> Option<Collector> {
    let base = |base: String| format!("{}/v1/traces", base.trim_end_matches('/'));
    let whole = var("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
    let endpoint = whole.or_else(|| var("OTEL_EXPORTER_OTLP_ENDPOINT").map(base))?;
    let service = var("OTEL_SERVICE_NAME").or_else(|| var("AWS_LAMBDA_FUNCTION_NAME"));
    Some(Collector { endpoint, service: service.unwrap_or_else(|| "countersign".to_owned()) })
}

/// The gateway in front must be told the same: a guess would break every call.
fn streaming(value: Option<&str>) -> Result<bool, String> {
    match value {
        Some("true") => Ok(true),
        Some("false") | None => Ok(false),
        Some(_) => Err("COUNTERSIGN_STREAMING is neither `true` nor `false`".to_owned()),
    }
}

/// A base URL, without the slash at its end: paths of ours are put behind it.
fn public_url(text: &str) -> Result<String, String> {
    let plain = |url: &Url| {
        let bare = url.username().is_empty() && url.password().is_none();
        let whole = url.query().is_none() && url.fragment().is_none();
        matches!(url.scheme(), "https" | "http") && url.has_host() && bare && whole
    };
    match Url::parse(text).ok().filter(plain) {
        Some(url) => Ok(url.as_str().trim_end_matches('/').to_owned()),
        None => {
            Err("COUNTERSIGN_PUBLIC_URL is no base URL; write `https://host` or `https://host/base/path`, \
             with no query behind, or remove it"
                .to_owned())
        }
    }
}

/// A file of secrets is for a laptop: set by mistake in a deployed function,
/// it must not quietly win over Secrets Manager.
fn secrets(var: &impl Fn(&str) -> Option<String>) -> Result<Secrets, String> {
    let local = var("COUNTERSIGN_LOCAL").is_some_and(|value| value == "true");
    match var("COUNTERSIGN_SECRETS_FILE") {
        Some(path) if local => Ok(Secrets::File(path.into())),
        Some(_) => Err("COUNTERSIGN_SECRETS_FILE is for local runs; set COUNTERSIGN_LOCAL=true too, \
             or remove it and keep the secrets in AWS Secrets Manager"
            .to_owned()),
        None => account(var, "AWS_ENDPOINT_URL_SECRETS_MANAGER").map(Secrets::Aws),
    }
}

fn audit(var: &impl Fn(&str) -> Option<String>) -> Result<Option<LogGroup>, String> {
    let Some(name) = var("COUNTERSIGN_AUDIT_LOG_GROUP") else { return Ok(None) };
    let account = account(var, "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS")?;
    Ok(Some(LogGroup { name, account }))
}

/// Whom the environment says we are at AWS. `endpoint`: the variable that leads the service to an emulator.
pub fn account(var: &impl Fn(&str) -> Option<String>, endpoint: &str) -> Result<Account, String> {
    let needed = |name: &str| {
        var(name).ok_or_else(|| {
            format!(
                "{name} is not set. Lambda sets it; on a laptop run \
                 `eval \"$(aws configure export-credentials --format env)\"` and set AWS_REGION, \
                 or set COUNTERSIGN_SECRETS_FILE and COUNTERSIGN_LOCAL=true"
            )
        })
    };
    let region = var("AWS_REGION").or_else(|| var("AWS_DEFAULT_REGION"));
    Ok(Account {
        region: region.map_or_else(|| needed("AWS_REGION"), Ok)?,
        access_key_id: needed("AWS_ACCESS_KEY_ID")?,
        secret_access_key: needed("AWS_SECRET_ACCESS_KEY")?,
        session_token: var("AWS_SESSION_TOKEN"),
        endpoint: var(endpoint).or_else(|| var("AWS_ENDPOINT_URL")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(set: &[(&str, &str)]) -> Result<Env, String> {
        let find =
            |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Env::read(find)
    }

    #[test]
    fn a_file_of_secrets_is_for_local_runs_only() {
        let file = ("COUNTERSIGN_SECRETS_FILE", "secrets.json");
        assert!(read(&[file]).is_err());
        assert!(read(&[file, ("COUNTERSIGN_LOCAL", "false")]).is_err());
        assert!(matches!(read(&[file, ("COUNTERSIGN_LOCAL", "true")]).unwrap().secrets, Secrets::File(_)));
    }

    #[test]
    fn streaming_is_on_or_off() {
        let check = |value: &str, expected: Option<bool>| {
            let local = [("COUNTERSIGN_SECRETS_FILE", "s"), ("COUNTERSIGN_LOCAL", "true")];
            let found = read(&[local[0], local[1], ("COUNTERSIGN_STREAMING", value)]);
            assert_eq!(found.ok().map(|env| env.streaming), expected, "{value}");
        };
        check("true", Some(true));
        check("false", Some(false));
        check("", Some(false));
        for wrong in ["1", "yes", "True", " true"] {
            check(wrong, None);
        }
    }

    #[test]
    fn our_address_is_a_base_url() {
        let check = |url: &str, expected: Option<&str>| {
            let local = [("COUNTERSIGN_SECRETS_FILE", "s"), ("COUNTERSIGN_LOCAL", "true")];
            let found = read(&[local[0], local[1], ("COUNTERSIGN_PUBLIC_URL", url)]);
            assert_eq!(
                found.ok().map(|env| env.public_url),
                expected.map(|url| Some(url.to_owned())),
                "{url}"
            );
        };
        check("https://api.example.com", Some("https://api.example.com"));
        check("https://api.example.com/v1/", Some("https://api.example.com/v1"));
        check("http://localhost:9000", Some("http://localhost:9000"));
        for wrong in ["api.example.com", "ftp://a", "https://a/?b", "https://a/#b", "https://u:p@a", "/v1"] {
            check(wrong, None);
        }
    }

    #[test]
    fn what_lambda_sets_is_missed_by_name() {
        let message = read(&[("AWS_REGION", "eu-west-1")]).err().unwrap();
        assert!(message.starts_with("AWS_ACCESS_KEY_ID is not set"), "{message}");
        let keys = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b"), ("AWS_REGION", "")];
        assert!(read(&keys).err().unwrap().starts_with("AWS_REGION is not set"));
    }
}
