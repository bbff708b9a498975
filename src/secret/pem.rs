//! Keys and certificates as text: PEM (RFC 7468), made whole again.

use zeroize::Zeroizing;

/// PEM is made of lines. On their way into a secret store they get lost: they
/// become `\n` in two characters where somebody copied them out of JSON, or
/// spaces where somebody pasted them into a field of one line.
pub fn straighten(pem: &str) -> Zeroizing<String> {
    let lines = Zeroizing::new(pem.replace("\\n", "\n"));
    let begun = Zeroizing::new(lines.replace("----- ", "-----\n"));
    Zeroizing::new(begun.replace(" -----", "\n-----"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_got_lost_are_found_again() {
        let good = "-----BEGIN EC PRIVATE KEY-----\nAAAA\nBBBB\n-----END EC PRIVATE KEY-----\n";
        let check = |written: &str, expected: &str| assert_eq!(*straighten(written), expected, "{written}");
        check(good, good);
        check(&good.replace('\n', "\\n"), good);
        let words = "-----BEGIN EC PRIVATE KEY-----\nAAAA BBBB\n-----END EC PRIVATE KEY-----\n";
        check(&good.replace('\n', " "), words);
    }
}
