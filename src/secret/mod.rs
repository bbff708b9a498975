//! Values that must not be seen.
//!
//! A [`Secret`] is exposed in two places only: where it is written into a
//! request (`credential`), and where an answer is searched for it (`guard`).

pub mod vault;
mod wanted;
pub mod reading;
pub mod aws;
pub mod role;
mod file;
pub mod pem;
pub mod key;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use zeroize::Zeroizing;

pub use vault::Vault;

/// The value of a secret. It cannot be printed, and its memory is wiped when
/// the last holder lets go.
///
/// ```compile_fail
/// fn log(secret: countersign::secret::Secret) {
///     println!("{secret:?}");
/// }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<Zeroizing<String>>);

impl Secret {
    /// Takes a value in.
    pub fn new(value: impl Into<String>) -> Self {
        Self(Arc::new(Zeroizing::new(value.into())))
    }

    /// The value itself. Called where it is written into a request, and where
    /// an answer is searched for it; nowhere else.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

/// Which secret, and which field of it: `github.token` is the field `token`
/// of the JSON secret `github`; `github` alone is its whole string.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretRef {
    name: String,
    field: Option<String>,
}

impl SecretRef {
    /// Our name of the secret: a key of `secrets` in the file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The field of the JSON object that the secret holds, if it is one.
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }
}

impl FromStr for SecretRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, field) = match text.split_once('.') {
            Some((name, field)) => (name, Some(field)),
            None => (text, None),
        };
        if !is_name(name) || field.is_some_and(str::is_empty) {
            return Err("this is no reference to a secret; write a name from `secrets`, \
                 or `name.field` for a field of a JSON secret"
                .to_owned());
        }
        Ok(Self { name: name.to_owned(), field: field.map(str::to_owned) })
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "{}.{field}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// Names of ours (secrets, upstreams, callers, plans): letters, digits, `-` and `_`.
pub fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_names_a_secret_and_maybe_a_field() {
        let check = |text: &str, expected: Option<(&str, Option<&str>)>| {
            let found = text.parse::<SecretRef>().ok();
            let found = found.as_ref().map(|r| (r.name(), r.field()));
            assert_eq!(found, expected, "{text}");
        };
        check("github", Some(("github", None)));
        check("github.token", Some(("github", Some("token"))));
        check("github.a.b", Some(("github", Some("a.b"))));
        check("", None);
        check("github.", None);
        check(".token", None);
        check("ghp_pasted key", None);
    }
}
