//! The yardstick: the least that a Lambda function in Rust can cost.

use lambda_http::{Body, Error, Request, Response, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(|_: Request| async {
        let answer = Response::builder().header("content-type", "application/json");
        answer.body(Body::from(r#"{"ok":true}"#)).map_err(Error::from)
    }))
    .await
}
