//! Whom the function is at AWS, and whom it may become there: the keys that
//! requests to AWS are signed with.

use std::time::SystemTime;

use aws_sdk_sts::Client;

use super::Secret;
use super::aws::{Account, configure, explain};
use crate::wire::client::Client as Http;

/// Keys of an identity at AWS.
#[derive(Clone)]
pub struct Keys {
    /// The access key's id.
    pub access_key_id: Secret,
    /// The secret key.
    pub secret_access_key: Secret,
    /// What comes with keys that are lent for a while.
    pub session_token: Option<Secret>,
    /// When they are no good any more; `None`: nobody has said.
    expires: Option<SystemTime>,
}

/// Whom the function is at AWS. Lambda renews nothing: the keys of an
/// environment live as long as it does.
pub struct Role {
    own: Keys,
    sts: Client,
}

/// How the function calls itself where it takes on a role: CloudTrail shows it there.
const SESSION: &str = "countersign";

impl Keys {
    /// Keys of which nobody has said when they end.
    pub fn new(access_key_id: Secret, secret_access_key: Secret, session_token: Option<Secret>) -> Self {
        Self { access_key_id, secret_access_key, session_token, expires: None }
    }

    /// Whether they are still good at a time.
    pub fn last(&self, until: SystemTime) -> bool {
        self.expires.is_none_or(|expires| until < expires)
    }

    /// Each of the values.
    pub fn iter(&self) -> impl Iterator<Item = &Secret> {
        [&self.access_key_id, &self.secret_access_key].into_iter().chain(&self.session_token)
    }
}

impl Role {
    /// Whom the environment says we are. `http` reaches AWS Security Token Service.
    pub fn new(account: Account, http: Http) -> Self {
        let own = Keys::new(
            Secret::new(account.access_key_id.as_str()),
            Secret::new(account.secret_access_key.as_str()),
            account.session_token.as_deref().map(Secret::new),
        );
        Self { own, sts: Client::new(&configure(account, http)) }
    }

    /// Our own keys.
    pub fn own(&self) -> &Keys {
        &self.own
    }

    /// The keys of another role, for an hour. `arn`: the role's.
    ///
    /// # Errors
    /// Why not, in words that hold no key.
    pub async fn assume(&self, arn: &str) -> Result<Keys, String> {
        let asked = self.sts.assume_role().role_arn(arn).role_session_name(SESSION).send().await;
        let answer = asked.map_err(|error| explain("AWS Security Token Service", &error))?;
        let Some(lent) = answer.credentials else {
            return Err("AWS Security Token Service gave no keys".to_owned());
        };
        Ok(Keys {
            access_key_id: Secret::new(lent.access_key_id),
            secret_access_key: Secret::new(lent.secret_access_key),
            session_token: Some(Secret::new(lent.session_token)),
            // What cannot be read is no promise: such keys are for one call.
            expires: Some(SystemTime::try_from(lent.expiration).unwrap_or(SystemTime::UNIX_EPOCH)),
        })
    }
}
