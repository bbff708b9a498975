//! A caller, a proxy and an upstream: `world.get("/my-repos").send().await`.
//!
//! The proxy is put together as `config::start` does it, from the text of a
//! file and a file of secrets; only its records stay in memory.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, SystemTime};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use countersign::config::build::Blueprint;
use countersign::config::declared::Secret;
use countersign::config::trust;
use countersign::config::{self, Declared};
use countersign::proxy::Proxy;
use countersign::proxy::cache::Cache;
use countersign::proxy::renew::Readings;
use countersign::proxy::stream::Passages;
use countersign::secret::Vault;
use countersign::secret::aws::Account;
use countersign::secret::role::Role;
use countersign::secret::vault::Source;
use countersign::trail::delivery::Delivery;
use countersign::trail::{Output, Trail};
use countersign::wire::client::{Client, Reach, Roots};
use countersign::wire::{Request, Response, Trace};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::Value;

use crate::manager::Manager;
use crate::record;
use crate::upstream::{Say, Script, Seen, Upstream, say};

/// A page that may call.
pub const APP: &str = "https://app.example.com";
/// A page that may not.
pub const FOREIGN: &str = "https://evil.example";

/// Where callers find us, as the gateway tells.
pub const OURS: &str = "https://gate.example/prod";

/// The secret that no answer and no record may show. Legal in every place,
/// and with a character for every encoding to trip over.
pub const CANARY: &str = "canary/9Zp+7&x='<1>%";
/// What the function is called.
pub const SERVICE: &str = "gate";

/// The fields of the secret `pair`.
pub const USER: &str = "user-canary-1";
pub const PASSWORD: &str = "pass-canary:2";

/// What a world is made of; all but the routes has a default.
pub struct Setup {
    routes: String,
    upstream: String,
    cors: String,
    base: String,
    place: Option<String>,
    script: Script,
    roots: Option<PathBuf>,
    exceptions: bool,
    files: Vec<(String, String)>,
    more: Vec<(String, String)>,
    streaming: bool,
    mend: fn(&mut Declared),
    secrets: String,
    manager: Option<Manager>,
    delivery: Option<Delivery>,
    audit: String,
    callers: String,
}

pub struct World {
    pub proxy: Proxy,
    pub upstream: Upstream,
}

impl World {
    /// These routes, and an upstream that says 200 to everything.
    pub async fn new(routes: &str) -> Self {
        Setup::routes(routes).start().await
    }
}

impl Setup {
    /// Routes, one a line; `{open}` stands for `allow: [website], upstream: api`.
    pub fn routes(routes: &str) -> Self {
        Self {
            routes: routes.replace("{open}", "allow: [website], upstream: api"),
            upstream: "credential: { bearer: key }".to_owned(),
            cors: format!("{{ origins: ['{APP}'], max_age: 10m }}"),
            base: String::new(),
            place: None,
            script: Arc::new(|_| say(200).with("content-type", "application/json").body("{}")),
            roots: None,
            exceptions: true,
            files: Vec::new(),
            more: Vec::new(),
            streaming: false,
            mend: |_| (),
            secrets: "{ key: test/key, pair: test/pair }".to_owned(),
            manager: None,
            delivery: None,
            audit: String::new(),
            callers: "callers: { website: { anonymous: true }, members: { anonymous: true } }\n".to_owned(),
        }
    }

    /// What the file says about who calls: `callers`, and `issuers` if it likes.
    pub fn callers(mut self, text: &str) -> Self {
        self.callers = format!("{text}\n");
        self
    }

    /// What the file says about where the secrets are.
    pub fn secrets(mut self, text: &str) -> Self {
        text.clone_into(&mut self.secrets);
        self
    }

    /// The secrets are in Secrets Manager, and not in a file.
    pub fn kept_by(mut self, manager: &Manager) -> Self {
        self.manager = Some(manager.clone());
        self
    }

    /// Records go to a log group of their own.
    pub fn delivered(mut self, delivery: Delivery) -> Self {
        self.delivery = Some(delivery);
        self
    }

    /// What the file says about records.
    pub fn audit(mut self, text: &str) -> Self {
        self.audit = format!("audit: {text}\n");
        self
    }

    /// What the file says about the upstream, besides where it is.
    pub fn upstream(mut self, text: &str) -> Self {
        text.clone_into(&mut self.upstream);
        self
    }

    /// What the file says about CORS.
    pub fn cors(mut self, text: &str) -> Self {
        text.clone_into(&mut self.cors);
        self
    }

    /// What the upstream answers.
    pub fn answer(mut self, script: impl Fn(&Seen) -> Say + Send + Sync + 'static) -> Self {
        self.script = Arc::new(script);
        self
    }

    /// The base path of the upstream's URL.
    pub fn base(mut self, path: &str) -> Self {
        path.clone_into(&mut self.base);
        self
    }

    /// Another upstream than our own server.
    pub fn at(mut self, url: impl Into<String>) -> Self {
        self.place = Some(url.into());
        self
    }

    /// A PEM file of further roots.
    pub fn trusting(mut self, roots: PathBuf) -> Self {
        self.roots = Some(roots);
        self
    }

    /// Private addresses are refused, whatever the file says.
    pub fn public_only(mut self) -> Self {
        self.exceptions = false;
        self
    }

    /// A file beside the configuration.
    pub fn file(mut self, path: &str, text: &str) -> Self {
        self.files.push((path.to_owned(), text.to_owned()));
        self
    }

    /// One more secret, beside `key` and `pair`.
    pub fn secret(mut self, name: &str, value: &str) -> Self {
        self.secrets = self.secrets.replacen('{', &format!("{{ {name}: test/{name},"), 1);
        self.more.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The function answers in Lambda's streaming mode.
    pub fn streaming(mut self) -> Self {
        self.streaming = true;
        self
    }

    /// Changes what was declared into what the grammar cannot say yet.
    pub fn mend(mut self, mend: fn(&mut Declared)) -> Self {
        self.mend = mend;
        self
    }

    /// The file, complete.
    pub fn text(&self, url: &str) -> String {
        let cors = if self.cors.is_empty() { String::new() } else { format!("cors: {}\n", self.cors) };
        let more = if self.upstream.is_empty() { String::new() } else { format!(", {}", self.upstream) };
        let routes: Vec<String> = self.routes.lines().map(|line| format!("  {}\n", line.trim())).collect();
        format!(
            "version: 1\n\
             secrets: {}\n\
             upstreams:\n  api: {{ url: '{url}{}', dangerous_plain_http: true, dangerous_private_network: true{more} }}\n\
             {cors}{}{}\
             routes:\n{}",
            self.secrets,
            self.base,
            self.audit,
            self.callers,
            routes.concat()
        )
    }

    pub async fn start(self) -> World {
        let upstream = Upstream::start(Arc::clone(&self.script)).await;
        let url = self.place.clone().unwrap_or_else(|| format!("http://{}", upstream.address));
        let text = self.text(&url);
        let files = |path: &str| {
            let file = self.files.iter().find(|(known, _)| known == path);
            file.map(|(_, text)| text.clone().into_bytes()).ok_or_else(|| "it is not there".to_owned())
        };
        let mut declared =
            config::read_beside(&text, &files).unwrap_or_else(|flaws| panic!("{flaws:#?}\n{text}"));
        (self.mend)(&mut declared);
        let secrets = secrets(&self.more);
        self.assemble(declared, upstream, secrets).await
    }

    /// A world as a file of ours declares it, but for the upstreams, which are
    /// all our own server, and the secrets: `token-0123456789` for a `token`.
    pub async fn start_file(self, path: &str) -> World {
        let upstream = Upstream::start(Arc::clone(&self.script)).await;
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path);
        let text = std::fs::read_to_string(&path).unwrap();
        let lines = text.lines().map(|line| match line.split_once("url: https://") {
            Some((indent, url)) => {
                let base = url.split_once('/').map(|(_, base)| format!("/{base}")).unwrap_or_default();
                let dangers =
                    format!("{indent}dangerous_plain_http: true\n{indent}dangerous_private_network: true");
                format!("{indent}url: http://{}{base}\n{dangers}\n", upstream.address)
            }
            None => format!("{line}\n"),
        });
        let text = lines.collect::<String>();
        let declared =
            config::examine(&text, &config::beside(&path)).unwrap_or_else(|flaws| panic!("{flaws:#?}"));
        let fields = ["key", "sid", "token"].map(|field| (field, format!("{field}-0123456789")));
        let fields = serde_json::json!(std::collections::BTreeMap::from(fields));
        let mut secrets = serde_json::Map::new();
        for secret in declared.secrets.values() {
            let Secret::Id(id) = secret else { panic!("an example says only where a secret is") };
            secrets.insert(id.clone(), fields.clone());
        }
        let secrets = file("secrets.json", &serde_json::Value::from(secrets).to_string());
        self.assemble(declared, upstream, secrets).await
    }

    async fn assemble(self, declared: Declared, upstream: Upstream, secrets: PathBuf) -> World {
        let plan = Blueprint::new(declared).unwrap();
        let source = self.manager.map_or(Source::File(secrets), |manager| Source::Aws(manager.client()));
        let vault = Vault::open(plan.wanted, source, SystemTime::UNIX_EPOCH).await;
        let vault = vault.unwrap_or_else(|refusals| panic!("{refusals:?}"));
        let except = if self.exceptions { plan.private_hosts } else { Default::default() };
        let roots = Roots::new(self.roots.as_deref()).unwrap();
        let client = Client::new(&roots, Reach::Public { except }).unwrap();
        let trail = Trail::new("t".to_owned(), self.delivery, Output::Memory(Mutex::default()));
        let trail = Arc::new(if plan.metrics { trail.measured(SERVICE.to_owned()) } else { trail });
        let (cors, routes, cache, spent) = (plan.cors, plan.routes, Cache::default(), Arc::default());
        let role = plan.aws_upstream.map(|_| Role::new(account(&upstream), client.clone()));
        let (public_url, streaming) = (None, self.streaming);
        let (passages, readings) = (Passages::default(), Readings::default());
        let proxy = Proxy {
            cors,
            routes,
            vault,
            readings,
            client,
            role,
            issuers: trust::issuers(plan.issuers, &roots).unwrap(),
            cache,
            trail,
            strict: plan.strict,
            configuration: "0".repeat(64),
            public_url,
            streaming,
            busy: Default::default(),
            spent,
            passages,
        };
        World { proxy, upstream }
    }
}

/// The function's own role. AWS Security Token Service is our own server too.
fn account(upstream: &Upstream) -> Account {
    Account {
        region: "eu-west-1".to_owned(),
        access_key_id: "AKIDOWN-CANARY".to_owned(),
        secret_access_key: "own-secret-canary".to_owned(),
        session_token: Some("own-token-canary".to_owned()),
        endpoint: Some(format!("http://{}/sts", upstream.address)),
    }
}

/// A file of this run's own.
pub fn file(name: &str, text: &str) -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::SeqCst);
    let name = format!("{}-{count}-{name}", std::process::id());
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// Private keys in PEM, for RS256 and for ES256. Made here, so that no scanner
/// takes them for a leak.
fn keys() -> (String, String) {
    let rsa: Pkcs8V1Der<'_> = RsaKeyPair::generate(KeySize::Rsa2048).unwrap().as_der().unwrap();
    let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap().to_pkcs8v1().unwrap();
    let pem = |der: &[u8]| {
        format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der))
    };
    (pem(rsa.as_ref()), pem(ec.as_ref()))
}

fn secrets(more: &[(String, String)]) -> PathBuf {
    static KEYS: OnceLock<(String, String)> = OnceLock::new();
    let (rsa, ec) = KEYS.get_or_init(keys);
    let pair = serde_json::json!({ "user": USER, "password": PASSWORD, "rsa": rsa, "ec": ec });
    let mut secrets = serde_json::json!({ "test/key": CANARY, "test/pair": pair });
    for (name, value) in more {
        secrets[format!("test/{name}")] = value.as_str().into();
    }
    file("secrets.json", &secrets.to_string())
}

impl World {
    /// A request that goes on with `.from(…)`, `.header(…)` … and `.send()`.
    pub fn ask(&self, method: &str, target: &str) -> Ask<'_> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let request = Request {
            method: method.parse().unwrap(),
            path: path.to_owned(),
            query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            id: "request-1".to_owned(),
            source: "192.0.2.1".to_owned(),
            api_key_id: None,
            public_url: Some(OURS.to_owned()),
            trace: Trace::of(&HeaderMap::new(), None, "request-1"),
            fault: None,
        };
        Ask { world: self, request, patience: Duration::from_secs(29), now: SystemTime::UNIX_EPOCH }
    }

    pub fn get(&self, target: &str) -> Ask<'_> {
        self.ask("GET", target)
    }

    pub fn post(&self, target: &str) -> Ask<'_> {
        self.ask("POST", target)
    }

    /// Asks for leave, as a browser would.
    pub fn preflight(&self, method: &str, target: &str) -> Ask<'_> {
        self.ask("OPTIONS", target).header("access-control-request-method", method)
    }

    /// All records so far.
    pub fn records(&self) -> Vec<Value> {
        let lines = self.lines();
        lines.iter().filter(|line| line["class_uid"] == 6003).map(record::facts).collect()
    }

    /// All alarms so far.
    pub fn alarms(&self) -> Vec<Value> {
        self.lines().into_iter().filter(|line| line["type"] == "alarm").collect()
    }

    /// All metrics so far.
    pub fn metrics(&self) -> Vec<Value> {
        self.lines().into_iter().filter(|line| !line["_aws"].is_null()).collect()
    }

    /// All that was left and said.
    pub fn lines(&self) -> Vec<Value> {
        self.proxy.trail.lines().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The last record.
    pub fn record(&self) -> Value {
        self.records().pop().expect("every request leaves a record")
    }
}

/// A request on its way.
pub struct Ask<'w> {
    world: &'w World,
    pub request: Request,
    patience: Duration,
    now: SystemTime,
}

impl Ask<'_> {
    /// Through a gateway that tells another base URL of ours, or none.
    pub fn reached_at(mut self, ours: Option<&str>) -> Self {
        self.request.public_url = ours.map(str::to_owned);
        self
    }

    /// From a page of this origin.
    pub fn from(self, origin: &str) -> Self {
        self.header("origin", origin)
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        self.request.headers.append(name.parse::<HeaderName>().unwrap(), value);
        self
    }

    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.request.body = body.into();
        self
    }

    /// As long as the invocation lasts.
    pub fn within(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// So many seconds after the world began.
    pub fn after(mut self, seconds: u64) -> Self {
        self.now = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        self
    }

    pub async fn send(self) -> Answer {
        let Self { world, mut request, patience, now } = self;
        request.trace = Trace::of(&request.headers, None, &request.id);
        Answer(world.proxy.handle(request, now, patience).await)
    }
}

/// What the caller got.
#[derive(Debug)]
pub struct Answer(pub Response);

impl Answer {
    pub fn status(&self) -> StatusCode {
        self.0.status()
    }

    /// A header, repeats joined as a browser joins them; `None` where it is absent.
    pub fn header(&self, name: &str) -> Option<String> {
        let values: Vec<&str> = self.0.headers().get_all(name).iter().map(|v| v.to_str().unwrap()).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.0.body()).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(self.0.body()).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    /// Status and code, such as `404 route_not_found`; only the status where it is no problem.
    pub fn verdict(&self) -> String {
        let status = self.status().as_u16();
        match serde_json::from_slice::<Value>(self.0.body()).ok().as_ref().and_then(|v| v["code"].as_str()) {
            Some(code) => format!("{status} {code}"),
            None => status.to_string(),
        }
    }

    /// Whether a text stands anywhere in it.
    pub fn shows(&self, text: &str) -> bool {
        let headers = self.0.headers().iter();
        let mut headers =
            headers.map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())));
        self.text().contains(text) || headers.any(|line| line.contains(text))
    }
}
