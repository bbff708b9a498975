//! The cold start: from the environment to a proxy that can answer.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use super::build::Blueprint;
use super::env::{Env, Secrets};
use crate::proxy::Proxy;
use crate::proxy::audit::Trail;
use crate::proxy::cache::Cache;
use crate::proxy::renew::Readings;
use crate::proxy::stream::Passages;
use crate::secret::Vault;
use crate::secret::aws::{Account, SecretsManager};
use crate::secret::role::Role;
use crate::secret::vault::Source;
use crate::wire::client::{Client, Reach, Roots};

/// Reads the file and the secrets, as of `now`. The error says all that is in
/// the way, and no value of a secret.
pub async fn start(env: Env, now: SystemTime) -> Result<Proxy, String> {
    let plan = plan(&env.config)?;
    let roots = Roots::new(env.extra_ca.as_deref())?;
    let source = match env.secrets {
        Secrets::Aws(account) => {
            Source::Aws(SecretsManager::new(account, Client::new(&roots, Reach::Anywhere)?))
        }
        Secrets::File(path) => Source::File(path),
    };
    // The client is built while Secrets Manager thinks.
    let reading = Vault::open(plan.wanted, source, now);
    let building = async { Client::new(&roots, Reach::Public { except: plan.private_hosts }) };
    let (vault, client) = tokio::join!(reading, building);
    let role = role(plan.aws_upstream.as_deref(), env.role, &roots)?;
    let vault = vault.map_err(|refusals| lines(&refusals))?;
    Ok(Proxy {
        cors: plan.cors,
        routes: plan.routes,
        vault,
        readings: Readings::default(),
        client: client?,
        role,
        cache: Cache::default(),
        trail: Arc::new(Trail::Stdout),
        public_url: env.public_url,
        streaming: env.streaming,
        spent: Arc::default(),
        passages: Passages::default(),
    })
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

/// Reads and checks the file.
pub fn plan(path: &Path) -> Result<Blueprint, String> {
    let name = path.display();
    let file = std::fs::read(path).map_err(|error| format!("{name} cannot be read: {error}"))?;
    let declared = super::read_beside(&file, &beside(path)).map_err(|flaws| {
        let flaws: Vec<String> =
            flaws.iter().map(|flaw| flaw.in_file(&name.to_string()).to_string()).collect();
        lines(&flaws)
    })?;
    Blueprint::new(declared)
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
