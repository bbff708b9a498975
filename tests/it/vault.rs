//! Secrets Manager, and what is said when it cannot be understood.

use countersign::secret::aws::{Account, SecretsManager};
use countersign::wire::client::{Client, Reach, Roots};

use crate::upstream::{Deed, Misbehaving};
use crate::world::CANARY;

fn answer(status: &str, body: &str) -> Deed {
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/x-amz-json-1.1\r\n");
    Deed::Close(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes())
}

/// What is said of a secret whose reading is answered so.
async fn refusal(ids: &[&str], answer: Deed) -> String {
    let server = Misbehaving::start(vec![answer]).await;
    let account = Account {
        region: "eu-west-1".to_owned(),
        access_key_id: "nobody".to_owned(),
        secret_access_key: "nothing".to_owned(),
        session_token: None,
        endpoint: Some(format!("http://{}", server.address)),
    };
    let client = Client::new(&Roots::new(None).unwrap(), Reach::Anywhere).unwrap();
    let refusals = SecretsManager::new(account, client).read(ids).await.err().unwrap_or_default();
    refusals.iter().map(|refusal| format!("{refusal}\n")).collect()
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_not_repeated() {
    let check = async |body: String| {
        for ids in [&["prod/x"][..], &["prod/x", "prod/y"]] {
            let said = refusal(ids, answer("200 OK", &body)).await;
            assert!(said.contains("prod/x") && said.contains("cannot be read"), "{body}: {said}");
            assert!(!said.contains(CANARY), "{said}");
        }
    };
    let secret = format!(r#""Name":"prod/x","SecretString":"{CANARY}""#);
    check(format!("{{{secret}")).await;
    let half = format!(r#""Name":"prod/x","SecretString":"{CANARY}\ud800""#);
    check(format!(r#"{{{half},"SecretValues":[{{{half}}}]}}"#)).await;
    check(format!(
        r#"{{{secret},"CreatedDate":"yesterday","SecretValues":[{{{secret},"CreatedDate":"now"}}]}}"#
    ))
    .await;
}

#[tokio::test]
async fn a_refusal_is_said_in_the_services_words() {
    let body = r#"{"__type":"ResourceNotFoundException","Message":"Secrets Manager can't find it."}"#;
    let said = refusal(&["prod/x"], answer("400 Bad Request", body)).await;
    assert!(said.contains("ResourceNotFoundException: Secrets Manager can't find it."), "{said}");
}

/// Asked for by its name and by its ARN, it is one secret in the answer.
#[tokio::test]
async fn a_secret_may_have_two_names() {
    let arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/x-AbCdEf";
    let body = format!(
        r#"{{"SecretValues":[{{"ARN":"{arn}","Name":"prod/x","SecretString":"{CANARY}","VersionId":"v1"}}],"Errors":[]}}"#
    );
    assert_eq!(refusal(&["prod/x", arn], answer("200 OK", &body)).await, "");
}
