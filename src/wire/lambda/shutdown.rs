//! The end of an environment, said in time. Lambda sends SIGTERM to functions
//! with an extension, and kills the others without a word
//! (<https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-shutdown>).
//! So we register as one that wants no events.
//!
//! `lambda_runtime` can do the same behind a feature, which makes the binary a
//! megabyte longer, and panics where it is refused.

use bytes::Bytes;
use http::Request;

use crate::wire::client::Client;

/// What we are called as an extension: within the function there is no other one of this name.
const NAME: &str = "countersign";

/// Registers at the Runtime API of a host and port. What it gives runs until the
/// process ends: it asks for the events that never come.
///
/// # Errors
/// Lambda does not know extensions here; it will not say when the environment ends.
pub async fn register(client: Client, api: &str) -> Result<impl Future<Output = ()> + use<>, String> {
    let url = format!("http://{api}/2020-01-01/extension");
    let registering = Request::post(format!("{url}/register"))
        .header("lambda-extension-name", NAME)
        .header("content-type", "application/json")
        .body(Bytes::from_static(br#"{"events":[]}"#))
        .map_err(|_| "AWS_LAMBDA_RUNTIME_API is no host".to_owned())?;
    let answer = client.exchange(registering).await.map_err(|why| why.to_string())?;
    let id = answer.headers().get("lambda-extension-identifier").cloned();
    let Some(id) = id.filter(|_| answer.status().is_success()) else {
        return Err(format!("the Runtime API says {}", answer.status().as_u16()));
    };
    Ok(async move {
        let next = Request::get(format!("{url}/event/next")).header("lambda-extension-identifier", id);
        if let Ok(next) = next.body(Bytes::new()) {
            drop(client.exchange(next).await);
        }
    })
}
