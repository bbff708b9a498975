//! AWS Secrets Manager on the loopback: keeps versions under their labels,
//! remembers who asked for what, and can be slow or out.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use countersign::secret::aws::{Account, SecretsManager};
use countersign::wire::client::{Client, Reach, Roots};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// A Secrets Manager that everybody may read.
#[derive(Clone)]
pub struct Manager {
    address: SocketAddr,
    shelf: Arc<Mutex<Shelf>>,
}

#[derive(Default)]
struct Shelf {
    /// By the secret's id and the version's label: its value.
    values: BTreeMap<(String, &'static str), String>,
    reads: Vec<String>,
    out: Option<u16>,
    renamed: Option<String>,
    delay: Duration,
}

impl Manager {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let manager = Self { address: listener.local_addr().unwrap(), shelf: Arc::default() };
        let server = manager.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = server.clone();
                let service = service_fn(move |request| server.clone().answer(request));
                tokio::spawn(async move {
                    let connection = auto::Builder::new(TokioExecutor::new());
                    drop(connection.serve_connection(TokioIo::new(stream), service).await);
                });
            }
        });
        manager
    }

    /// The way to it that the function would take.
    pub fn client(&self) -> SecretsManager {
        let account = Account {
            region: "eu-west-1".to_owned(),
            access_key_id: "nobody".to_owned(),
            secret_access_key: "nothing".to_owned(),
            session_token: None,
            endpoint: Some(format!("http://{}", self.address)),
        };
        SecretsManager::new(account, Client::new(&Roots::new(None).unwrap(), Reach::Anywhere).unwrap())
    }

    /// Makes a value the current one. Its version is named after it.
    pub fn put(&self, id: &str, value: &str) {
        self.label(id, "AWSCURRENT", value);
    }

    /// Puts a value under a label.
    pub fn label(&self, id: &str, label: &'static str, value: &str) {
        self.shelf().values.insert((id.to_owned(), label), value.to_owned());
    }

    /// Calls every version so from now on, whatever its value.
    pub fn rename(&self, version: &str) {
        self.shelf().renamed = Some(version.to_owned());
    }

    /// Says this status to everything from now on; `None`: answers again.
    pub fn out(&self, status: Option<u16>) {
        self.shelf().out = status;
    }

    /// Takes its time from now on.
    pub fn delay(&self, delay: Duration) {
        self.shelf().delay = delay;
    }

    /// The ids that were asked for since this was last called.
    pub fn reads(&self) -> Vec<String> {
        std::mem::take(&mut self.shelf().reads)
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let operation = request.headers()["x-amz-target"].to_str().unwrap().to_owned();
        let asked: Value =
            serde_json::from_slice(&request.into_body().collect().await.unwrap().to_bytes()).unwrap();
        let delay = self.shelf().delay;
        tokio::time::sleep(delay).await;
        let (status, said) = self.shelf().say(operation.rsplit('.').next().unwrap(), &asked);
        let mut response = Response::new(Full::new(said.to_string().into()));
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        Ok(response)
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap()
    }
}

impl Shelf {
    fn say(&mut self, operation: &str, asked: &Value) -> (u16, Value) {
        let ids = match &asked["SecretIdList"] {
            Value::Array(ids) => ids.iter().map(|id| id.as_str().unwrap().to_owned()).collect(),
            _ => vec![asked["SecretId"].as_str().unwrap().to_owned()],
        };
        self.reads.extend(ids.clone());
        if let Some(status) = self.out {
            return (status, json!({ "__type": "InternalServiceError", "message": "it is out" }));
        }
        let label = asked["VersionStage"].as_str().unwrap_or("AWSCURRENT");
        let mut found = ids.iter().map(|id| self.value(id, label));
        match operation {
            "GetSecretValue" => (200, found.next().unwrap()),
            "BatchGetSecretValue" => {
                (200, json!({ "SecretValues": found.collect::<Vec<_>>(), "Errors": [] }))
            }
            other => panic!("{other}"),
        }
    }

    fn value(&self, id: &str, label: &str) -> Value {
        let mut of_label = self.values.iter().filter(|((known, stage), _)| known == id && *stage == label);
        let (_, value) = of_label.next().unwrap_or_else(|| panic!("{id} has no {label}"));
        json!({ "ARN": id, "Name": id, "SecretString": value, "VersionId": self.renamed.clone().unwrap_or_else(|| version(value)) })
    }
}

/// What the version of a value is called: something that shows nothing of it.
pub fn version(value: &str) -> String {
    let sum = value.bytes().fold(7_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    format!("version-{sum:016x}")
}
