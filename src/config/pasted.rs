//! Knows a secret by its looks: somebody pasted the key where its name belongs.

/// Said where a secret's value stands in the file itself: what, and how to mend it.
pub(super) const PASTED: (&str, &str) = (
    "this looks like the value of a secret",
    "revoke it, keep a new one in AWS Secrets Manager, and write its name here",
);

/// How the keys of widespread services begin, and how many characters follow at least.
const PREFIXES: [(&str, usize); 33] = [
    ("AIza", 30),
    ("AKIA", 12),
    ("ASIA", 12),
    ("SG", 40),
    ("dop_v1_", 16),
    ("eyJ", 40),
    ("ghp_", 10),
    ("gho_", 10),
    ("ghu_", 10),
    ("ghs_", 10),
    ("ghr_", 10),
    ("github_pat_", 10),
    ("glpat-", 10),
    ("gsk_", 20),
    ("hf_", 20),
    ("key-", 24),
    ("lin_api_", 16),
    ("npm_", 20),
    ("ntn_", 20),
    ("pat-na1-", 16),
    ("pypi-", 30),
    ("rk_live_", 8),
    ("rk_test_", 8),
    ("shpat_", 16),
    ("sk-", 20),
    ("sk_live_", 8),
    ("sk_test_", 8),
    ("whsec_", 16),
    ("xapp-", 10),
    ("xoxa-", 10),
    ("xoxb-", 10),
    ("xoxp-", 10),
    ("ya29", 16),
];

/// Whether some word of a text looks like a secret's value.
pub fn is_pasted(text: &str) -> bool {
    text.contains("-----BEGIN ") || text.split(|c| !is_of_a_key(c)).any(is_key)
}

/// A text with what looks like a secret's value veiled, as long as it was.
pub fn veil(text: &str) -> String {
    let words = text.split_inclusive(|c| !is_of_a_key(c)).map(|word| {
        let key = word.trim_end_matches(|c| !is_of_a_key(c));
        let end = word.get(key.len()..).unwrap_or_default();
        if is_key(key) { format!("{}{end}", "*".repeat(key.len())) } else { word.to_owned() }
    });
    words.collect()
}

/// Keys are single words; paths, ARNs and sentences are made of several.
fn is_of_a_key(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

fn is_key(word: &str) -> bool {
    let known = PREFIXES.iter().any(|(prefix, least)| {
        let rest =
            word.strip_prefix(prefix).map(|rest| rest.chars().filter(char::is_ascii_alphanumeric).count());
        rest.is_some_and(|length| *least <= length)
    });
    known || is_hex(word)
}

/// 32 hexadecimal digits or more, letters and digits among them.
fn is_hex(word: &str) -> bool {
    32 <= word.len()
        && word.bytes().all(|b| b.is_ascii_hexdigit())
        && word.bytes().any(|b| b.is_ascii_digit())
        && word.bytes().any(|b| b.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pasted_key_is_known_by_its_looks() {
        let check = |text: &str, expected: bool| assert_eq!(is_pasted(text), expected, "{text}");
        // Put together here, so that no scanner takes the test for a leak.
        check(&format!("{}_{}", "ghp", "x".repeat(36)), true);
        check(&format!("Bearer {}_live_{}", "sk", "4eC39HqLyjWDarjtT1zdp7dc"), true);
        check(&format!("{}-{}", "xoxb", "1234567890-abcdefghij"), true);
        check(&format!("{}IOSFODNN7EXAMPLE", "AKIA"), true);
        check("0123456789abcdef0123456789abcdef", true);
        for innocent in [
            "github",
            "github.token",
            "ghp_token",
            "sk-test",
            "key-of-mailgun",
            "countersign/github",
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:countersign/github-AbCdEf",
            "application/vnd.github+json",
            "npm_registry",
            "hf_token",
            "2022-11-28",
            "SG.key",
        ] {
            check(innocent, false);
        }
    }
}
