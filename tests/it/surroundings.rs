//! The function as a process: what stands in its environment moves no call.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::tls::Tls;
use crate::upstream::{Say, Seen, Upstream, say};
use crate::world::file;

/// A child that ends with the test, however that ends.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Lambda's runtime API: hands out one event, and then no more.
fn lambda(event: &Value) -> impl Fn(&Seen) -> Say + Send + Sync + 'static {
    let (event, given) = (event.to_string(), AtomicUsize::new(0));
    move |seen: &Seen| match seen.path().rsplit('/').next().unwrap() {
        "next" if given.fetch_add(1, Ordering::SeqCst) == 0 => say(200)
            .with("lambda-runtime-aws-request-id", "r-1")
            .with("lambda-runtime-deadline-ms", "9999999999999")
            .with("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-west-1:123456789012:function:f")
            .body(event.clone()),
        "next" => say(410),
        _ => say(202),
    }
}

/// What the function answers to a GET of `/a`, which leads to this URL.
async fn answer(url: &str, roots: &str, surroundings: &[(&str, &str)]) -> Value {
    let mut event: Value = serde_json::from_str(include_str!("../../events/rest-get.json")).unwrap();
    event["path"] = json!("/a");
    for headers in ["headers", "multiValueHeaders"] {
        event[headers].as_object_mut().unwrap().remove("origin");
    }
    let runtime = Upstream::start(Arc::new(lambda(&event))).await;
    let config = format!(
        "version: 1\nsecrets: {{ key: test/key }}\ncallers: {{ all: {{ anonymous: true }} }}\n\
         upstreams: {{ api: {{ url: '{url}', dangerous_plain_http: true, dangerous_private_network: true, \
         credential: {{ bearer: key }} }} }}\n\
         routes: {{ GET /a: {{ allow: [all], upstream: api }} }}\n"
    );
    let secrets = json!({ "test/key": "a-long-enough-key" }).to_string();
    let child = Command::new(env!("CARGO_BIN_EXE_proxy"))
        .env("AWS_LAMBDA_RUNTIME_API", runtime.address.to_string())
        .envs([("AWS_LAMBDA_FUNCTION_NAME", "f"), ("AWS_LAMBDA_FUNCTION_VERSION", "1")])
        .envs([("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"), ("COUNTERSIGN_LOCAL", "true")])
        .env("COUNTERSIGN_CONFIG", file("countersign.yaml", &config))
        .env("COUNTERSIGN_SECRETS_FILE", file("secrets.json", &secrets))
        .env("COUNTERSIGN_EXTRA_CA", roots)
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .envs(surroundings.iter().copied())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let _process = Process(child.expect("the function was built for this test"));
    for _ in 0..300 {
        if let Some(sent) = runtime.seen().iter().find(|seen| seen.path().ends_with("/response")) {
            return serde_json::from_slice(&sent.body).unwrap();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the function answered nothing: {:?}", runtime.seen());
}

/// A proxy of the environment would see every credential, or could end the TLS.
#[tokio::test]
async fn a_proxy_in_the_environment_is_not_used() {
    let proxy = Upstream::start(Arc::new(|_| say(200).body("the proxy's"))).await;
    let through = format!("http://{}", proxy.address);
    let names = ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
    let surroundings = names.map(|name| (name, through.as_str()));
    let (plain, tls) =
        (Upstream::start(Arc::new(|_| say(200).body("safe"))).await, Tls::start(&["h2"]).await);
    let roots = tls.roots.to_str().unwrap();
    for url in [format!("http://localhost:{}", plain.address.port()), tls.url()] {
        let answer = answer(&url, roots, &surroundings).await;
        assert_eq!((&answer["statusCode"], &answer["body"]), (&json!(200), &json!("safe")), "{url}");
    }
    assert_eq!(proxy.connections(), 0);
    assert_eq!((plain.seen().len(), tls.upstream.seen().len()), (1, 1));
}
