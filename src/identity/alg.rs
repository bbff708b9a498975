//! How tokens may be signed: a closed list, and an issuer's own part of it.
//!
//! A token's header is compared with that list, and never chooses from a longer one.

use jsonwebtoken::Algorithm;

/// How a token is signed (RFC 7518 §3.1, RFC 8037 §3.1). There is no `none`
/// and no HMAC: whoever verifies such a token could have made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alg {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// Ed25519, which RFC 9864 §2.2 calls by that name.
    EdDsa,
}

impl Alg {
    /// Every algorithm, in the order of the manual.
    pub const ALL: [Self; 9] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::EdDsa,
    ];
    /// What most issuers sign with.
    pub const USUAL: [Self; 2] = [Self::Rs256, Self::Es256];
    /// What an RSA key can do.
    pub(super) const RSA: [Self; 6] =
        [Self::Rs256, Self::Rs384, Self::Rs512, Self::Ps256, Self::Ps384, Self::Ps512];

    /// The name, as a header has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The algorithm of that name, to the letter.
    pub fn parse(name: &str) -> Option<Self> {
        let name = if name == "Ed25519" { "EdDSA" } else { name };
        Self::ALL.into_iter().find(|alg| alg.name() == name)
    }

    /// The same, as the library calls it.
    pub(super) fn algorithm(self) -> Algorithm {
        match self {
            Self::Rs256 => Algorithm::RS256,
            Self::Rs384 => Algorithm::RS384,
            Self::Rs512 => Algorithm::RS512,
            Self::Ps256 => Algorithm::PS256,
            Self::Ps384 => Algorithm::PS384,
            Self::Ps512 => Algorithm::PS512,
            Self::Es256 => Algorithm::ES256,
            Self::Es384 => Algorithm::ES384,
            Self::EdDsa => Algorithm::EdDSA,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_algorithm_is_known_by_its_exact_name() {
        for alg in Alg::ALL {
            assert_eq!(Alg::parse(alg.name()), Some(alg));
            assert_eq!(alg.algorithm(), alg.name().parse().unwrap());
        }
        assert_eq!(Alg::parse("Ed25519"), Some(Alg::EdDsa));
        for name in
            ["none", "None", "", "rs256", "RS256 ", "HS256", "HS512", "ES512", "ES256K", "Ed448", "RSA-OAEP"]
        {
            assert_eq!(Alg::parse(name), None, "{name}");
        }
    }
}
