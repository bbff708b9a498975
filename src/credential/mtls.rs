//! A client certificate (mutual TLS; RFC 8446 §4.4.2): the upstream sees at
//! the handshake who we are.
//!
//! Who shows a certificate has connections of its own. They are shared with
//! nobody who shows another one, or none.

use std::sync::{Mutex, PoisonError};

use super::armed::Used;
use super::{Armed, Means, unavailable};
use crate::secret::pem::straighten;
use crate::secret::vault::Slot;
use crate::secret::{Secret, SecretRef};
use crate::wire::Problem;
use crate::wire::client::{Client, Identity};

/// Who we are to an upstream that asks for a certificate.
pub struct Mtls {
    certificate: SecretRef,
    key: SecretRef,
    /// The client of the values that were last seen.
    made: Mutex<Option<Made>>,
}

struct Made {
    certificate: Secret,
    key: Secret,
    client: Client,
}

impl Mtls {
    /// The certificate, with those between it and a root behind it, and its
    /// private key: both as PEM (RFC 7468).
    pub fn new(certificate: SecretRef, key: SecretRef) -> Self {
        Self { certificate, key, made: Mutex::default() }
    }

    pub(super) fn wants(&self) -> Vec<(&SecretRef, Slot, bool)> {
        vec![(&self.certificate, Slot::Certificate, true), (&self.key, Slot::PrivateKey, true)]
    }

    /// The client that shows the certificate: made anew where a value has
    /// changed, so that a rotation needs no restart.
    pub(super) fn client(&self, means: &Means<'_>, armed: &mut Armed<'_>) -> Result<Client, Problem> {
        let (certificate, key) = (self.public(means, armed)?, armed.take(&self.key, means.vault)?);
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |made: &&Made| {
            made.certificate.expose() == certificate.expose() && made.key.expose() == key.expose()
        };
        if let Some(made) = made.as_ref().filter(same) {
            return Ok(made.client.clone());
        }
        let identity = Identity::from_pem(&straighten(certificate.expose()), &straighten(key.expose()));
        let client = match identity.and_then(|identity| means.client.identified(identity)) {
            Ok(client) => client,
            // Between the reading of the one and of the other they do not fit together.
            Err(why) => {
                let before = made.as_ref().map(|made| made.client.clone());
                return before.ok_or_else(|| unavailable(format_args!("secret `{}`: {why}", self.key)));
            }
        };
        *made = Some(Made { certificate, key, client: client.clone() });
        Ok(client)
    }

    /// A certificate is for everybody to see: no answer is searched for it.
    fn public(&self, means: &Means<'_>, armed: &mut Armed<'_>) -> Result<Secret, Problem> {
        let Some(found) = means.vault.get(&self.certificate) else {
            return Err(unavailable(format_args!("secret `{}` is not in the vault", self.certificate)));
        };
        armed.was_used(&[Used { name: self.certificate.to_string(), version: found.version }]);
        armed.carried.shown.push(found.secret.clone());
        Ok(found.secret)
    }
}
