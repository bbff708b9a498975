//! Who is calling, and how we know: tokens that others have issued.
//!
//! [`token`] reads the form, strictly; [`issuer`] judges it, with the keys that
//! [`jwks`] keeps; [`claims`] is what can be believed then. Nobody is asked
//! whom only a token names, a refusal never tells what would have been right,
//! and no token is kept, printed or recorded.

pub mod token;
pub mod issuer;
pub mod claims;
pub mod rule;
pub mod refusal;
pub mod alg;
pub mod keys;
pub mod jwks;
pub mod discovery;
mod near;
mod strict;

use std::time::SystemTime;

pub use alg::Alg;
pub use claims::Claims;
pub use issuer::{Issuer, Source};
pub use keys::Keys;
pub use refusal::{Reason, Refusal};
pub use token::{Kind, Unverified};

/// Everybody whose tokens we take. No two have one URL.
pub struct Issuers(pub Vec<Issuer>);

/// A token that we take.
#[derive(Debug)]
pub struct Verified<'i> {
    /// Our name for who has issued it.
    pub issuer: &'i str,
    /// What it says.
    pub claims: Claims,
}

impl Issuers {
    /// Who is calling, by the token that they show, as of `now`.
    ///
    /// # Errors
    /// Why the token is not taken.
    pub async fn verify(&self, token: &str, now: SystemTime) -> Result<Verified<'_>, Refusal> {
        let token = Unverified::parse(token)?;
        let issuer = self.of(&token)?;
        let claims = issuer.verify(&token, now).await?;
        Ok(Verified { issuer: &issuer.name, claims })
    }

    /// The issuer that a token names, byte by byte.
    ///
    /// # Errors
    /// [`Reason::UntrustedIssuer`], and what it is nearly, if one is near.
    pub fn of(&self, token: &Unverified) -> Result<&Issuer, Refusal> {
        let said = token.issuer();
        self.0.iter().find(|issuer| issuer.url == said).ok_or_else(|| {
            let mut detail = format!("iss {} is not trusted", refusal::echo(said));
            if let Some(by) = near::difference(said, self.0.iter().map(|issuer| issuer.url.as_str())) {
                detail.push_str("; a trusted issuer differs only by ");
                detail.push_str(by);
            }
            Refusal::new(Reason::UntrustedIssuer, detail)
        })
    }
}

#[cfg(test)]
mod tests;
