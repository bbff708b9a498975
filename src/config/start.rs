//! The cold start: from the environment to a proxy that can answer.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::build::Blueprint;
use super::env::{Env, LogGroup, Secrets};
use super::trust;
use crate::proxy::Proxy;
use crate::proxy::cache::Cache;
use crate::proxy::renew::Readings;
use crate::proxy::stream::Passages;
use crate::secret::Vault;
use crate::secret::aws::{Account, SecretsManager};
use crate::secret::role::Role;
use crate::secret::vault::Source;
use crate::trail::chain::Fingerprint;
use crate::trail::delivery::Delivery;
use crate::trail::logs::Logs;
use crate::trail::metrics::{ALONE, Metrics};
use crate::trail::ocsf::{Lifecycle, Phase};
#[cfg(feature = "otlp")]
use crate::trail::otlp::Spans;
use crate::trail::{Output, Trail};
use crate::wire::client::{Client, Reach, Roots};

/// Reads the file and the secrets, as of `now`. `name` is random: no other
/// environment has it. The error says all that is in the way, and no value of
/// a secret.
pub async fn start(env: Env, name: &str, now: SystemTime) -> Result<Proxy, String> {
    let started = Instant::now();
    let (plan, configuration) = plan(&env.config)?;
    let planned = started.elapsed();
    let roots = Roots::new(env.extra_ca.as_deref())?;
    let source = match env.secrets {
        Secrets::Aws(account) => {
            Source::Aws(SecretsManager::new(account, Client::new(&roots, Reach::Anywhere)?))
        }
        Secrets::File(path) => Source::File(path),
    };
    // The client is built while Secrets Manager thinks.
    let reading = timed(Vault::open(plan.wanted, source, now));
    let building = async { Client::new(&roots, Reach::Public { except: plan.private_hosts }) };
    let ((vault, read), client) = tokio::join!(reading, building);
    let issuers = trust::issuers(plan.issuers, &roots)?;
    let role = role(plan.aws_upstream.as_deref(), env.role, &roots)?;
    let vault = vault.map_err(|refusals| lines(&refusals))?;
    let mut trail = trail(env.environment, name, env.audit, &roots)?;
    if plan.metrics {
        trail = trail.measured(env.function.unwrap_or_else(|| "countersign".to_owned()));
    }
    #[cfg(feature = "otlp")]
    if let Some(collector) = env.collector {
        let http = Client::new(&roots, Reach::Anywhere)?;
        trail = trail.traced(Spans::new(http, &collector.endpoint, collector.service));
    }
    trail.leave(&Lifecycle { phase: Phase::Start, configuration: &configuration, now });
    trail.measure(|| cold_start(now, (planned, read, started.elapsed())));
    Ok(Proxy {
        cors: plan.cors,
        routes: plan.routes,
        vault,
        readings: Readings::default(),
        client: client?,
        role,
        issuers,
        cache: Cache::default(),
        trail: Arc::new(trail),
        strict: plan.strict,
        configuration,
        public_url: env.public_url,
        streaming: env.streaming,
        busy: AtomicBool::default(),
        spent: Arc::default(),
        passages: Passages::default(),
    })
}

/// What a cold start took: to read the file, to read the secrets, and as a whole. The
/// process's own beginning and Lambda's part are not in it.
fn cold_start(now: SystemTime, (config, secrets, all): (Duration, Duration, Duration)) -> Metrics<'static> {
    let mut metrics = Metrics::at(now);
    metrics.count("ColdStarts", 1, ALONE);
    for (name, took) in [("InitMs", all), ("InitConfigMs", config), ("InitSecretsMs", secrets)] {
        metrics.took(name, took, ALONE);
    }
    metrics
}

/// What comes of something, and how long it took.
async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let started = Instant::now();
    (work.await, started.elapsed())
}

/// Whom the function is at AWS, where an upstream wants to know.
fn role(
    wanted_by: Option<&str>,
    account: Result<Account, String>,
    roots: &Roots,
) -> Result<Option<Role>, String> {
    let Some(upstream) = wanted_by else { return Ok(None) };
    let account =
        account.map_err(|why| format!("  upstream `{upstream}` is signed for by our own role: {why}\n"))?;
    Ok(Some(Role::new(account, Client::new(roots, Reach::Anywhere)?)))
}

/// The trail of this environment. Its stream has Lambda's own name for it, so that
/// both of its logs are found, and a random one: an emulator calls all of them alike.
fn trail(
    environment: Option<String>,
    name: &str,
    group: Option<LogGroup>,
    roots: &Roots,
) -> Result<Trail, String> {
    let stream = environment.map_or_else(|| name.to_owned(), |environment| format!("{environment}/{name}"));
    let delivery = match group {
        Some(group) => {
            let http = Client::new(roots, Reach::Anywhere)?;
            Some(Delivery::new(Logs::new(group.account, http, group.name, stream.clone())))
        }
        None => None,
    };
    Ok(Trail::new(stream, delivery, Output::Stdout))
}

/// Reads and checks the file, and gives the hash of it and of what it names.
pub fn plan(path: &Path) -> Result<(Blueprint, String), String> {
    let name = path.display();
    let file = std::fs::read(path).map_err(|error| format!("{name} cannot be read: {error}"))?;
    let read = RefCell::new(file.clone());
    let beside = |name: &str| {
        let file = beside(path)(name)?;
        read.borrow_mut().extend_from_slice(&file);
        Ok(file)
    };
    let declared = super::read_beside(&file, &beside).map_err(|flaws| {
        let flaws: Vec<String> =
            flaws.iter().map(|flaw| flaw.in_file(&name.to_string()).to_string()).collect();
        lines(&flaws)
    })?;
    let hash = Fingerprint::of(&read.borrow()).to_string();
    let plan = Blueprint::new(declared);
    plan.map(|plan| (plan, hash))
        .map_err(|gap| format!("{name}: {gap}; `countersign check` should have said so, please report it"))
}

/// Reads the files beside a configuration, by their paths from there on.
pub fn beside(path: &Path) -> impl Fn(&str) -> Result<Vec<u8>, String> {
    let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
    move |name| std::fs::read(folder.join(name)).map_err(|error| error.kind().to_string())
}

fn lines(items: &[impl std::fmt::Display]) -> String {
    items.iter().map(|item| format!("  {item}\n")).collect()
}
