//! The same for random secrets, written at random, cut at random.

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

/// How one character is written: an escaping, or none.
fn unit(c: char, pick: u8) -> String {
    let utf8 =
        |start: &str| c.to_string().bytes().map(|byte| format!("{start}{byte:02x}")).collect::<String>();
    match pick % 16 {
        0 => utf8("%"),
        1 => utf8("%").to_uppercase(),
        2 => utf8("%25"),
        3 => escaped(&c.to_string()),
        4 => escaped(&c.to_string()).to_lowercase(),
        5 => escaped(&c.to_string()).replace('\\', "\\\\"),
        6 => format!("&#{};", c as u32),
        7 => format!("&#x{:04x};", c as u32),
        8 => format!("&amp;#{};", c as u32),
        9 => json(&html(&c.to_string())),
        10 => escaped(&html(&c.to_string())),
        11 => utf8_percent_encode(&html(&c.to_string()), NON_ALPHANUMERIC).to_string(),
        // What must be escaped to be told apart from an escape is.
        _ if "\\%&".contains(c) => format!("&#{};", c as u32),
        _ => c.to_string(),
    }
}

/// One of the ways in which programs write a text down.
fn written(secret: &str, form: u8, picks: &[u8]) -> Vec<u8> {
    let mixed = |text: &str| -> String {
        let picks = picks.iter().cycle();
        text.chars().zip(picks).map(|(c, pick)| unit(c, *pick)).collect()
    };
    let base64 = |engine: &base64::engine::GeneralPurpose, shift: usize| {
        engine.encode(format!("{}{secret}", &"xy"[..shift]))
    };
    match form % 16 {
        0 => secret.as_bytes().to_vec(),
        1 => json(&json(&mixed(secret))).into_bytes(),
        2 if secret.is_ascii() => le(&mixed(secret)),
        3 if secret.is_ascii() => be(&mixed(secret)),
        2 => le(secret),
        3 => be(secret),
        4 => hex(secret).into_bytes(),
        5 => mixed(&hex(secret).to_uppercase()).into_bytes(),
        6 => base64(&STANDARD, 0).into_bytes(),
        7 => base64(&URL_SAFE_NO_PAD, 1).into_bytes(),
        8 => mixed(&base64(&STANDARD, 2)).into_bytes(),
        9 => folded(&base64(&STANDARD, 1), 16, "\r\n").into_bytes(),
        10 => le(&folded(&base64(&URL_SAFE, 2), 17, "\\n")),
        11 => utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string().into_bytes(),
        _ => mixed(secret).into_bytes(),
    }
}

fn secret() -> impl Strategy<Value = String> {
    prop_oneof![
        "[!-~]{8,40}",
        "[ -~]{8,24}",
        "[a-f0-9%]{8,16}",
        "[A-Za-z0-9_]{20,40}",
        "[!-~é→🔑]{8,16}",
        "(ab){4,6}"
    ]
}

/// A few secrets, and a body full of them, with noise of which escapes are made.
fn bodies() -> impl Strategy<Value = (Vec<String>, Vec<u8>)> {
    let noise = prop_oneof!["[ab%4-7\n ]{0,6}", "[\\\\%&#;xu0-9]{0,6}", Just("\0".to_owned()), "[ -~]{0,9}"];
    let part = (any::<Index>(), any::<u8>(), prop::collection::vec(any::<u8>(), 1..8), noise, any::<Index>());
    (prop::collection::vec(secret(), 1..4), prop::collection::vec(part, 0..6)).prop_map(|(secrets, parts)| {
        let mut body = Vec::new();
        for (which, form, picks, noise, cut) in parts {
            let mut text = written(&secrets[which.index(secrets.len())], form, &picks);
            if form < 40 {
                text.truncate(cut.index(text.len()));
            }
            body.extend(text);
            body.extend(noise.into_bytes());
        }
        (secrets, body)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..Default::default() })]

    /// Whatever is written beside it, nothing of the secret's own writing is left.
    #[test]
    fn no_spelling_survives(
        secret in secret(), form in any::<u8>(), picks in prop::collection::vec(any::<u8>(), 1..40),
        before in "[^!-~\0é→🔑]{0,9}", after in "[^!-~\0é→🔑]{0,9}",
    ) {
        let text = written(&secret, form, &picks);
        let body = [before.as_bytes(), &text, after.as_bytes()].concat();
        let (left, leaks) = cleaned(&guard(&[&secret]), &body);
        let case = || format!("{secret:?} in {:?}: {:?}", String::from_utf8_lossy(&body), String::from_utf8_lossy(&left));
        prop_assert!(!leaks.is_empty(), "{}", case());
        prop_assert!(left.windows(text.len()).all(|part| part != text) && cleaned(&guard(&[&secret]), &left).1.is_empty(), "{}", case());
        // Of base64 and UTF-16, what also belongs to the neighbours stays.
        let shared = match form % 16 { 2 | 3 | 10 => 40, 6..=9 => 9 * 12, _ => 0 };
        prop_assert!(left.len() <= before.len() + after.len() + REDACTED.len() + shared, "{}", case());
        prop_assert!(left.starts_with(before.as_bytes()) && left.ends_with(after.as_bytes()), "{}", case());
    }

    /// A text that the secret is in nowhere keeps every byte.
    #[test]
    fn clean_bytes_stay((secrets, body) in bodies()) {
        let others: Vec<String> = secrets.iter().map(|secret| format!("{secret}-but-another-{secret}")).collect();
        let others: Vec<&str> = others.iter().map(String::as_str).collect();
        prop_assert!(guard(&others).clean(&body, Place::Body, &mut Leaks::new()).is_none());
    }

    /// Whatever the secrets and wherever the cuts: what leaves is what would
    /// leave of the whole body.
    #[test]
    fn cuts_hide_nothing((secrets, body) in bodies(), cuts in prop::collection::vec(any::<Index>(), 0..6)) {
        let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
        let guard = guard(&secrets);
        let whole = cleaned(&guard, &body);
        let names = |leaks: &Leaks| leaks.iter().map(|leak| (leak.name.clone(), leak.spelling.clone())).collect::<Vec<_>>();
        let check = |chunks: &[&[u8]]| {
            let (left, leaks) = swept(&guard, chunks);
            prop_assert_eq!(left.concat(), whole.0.clone());
            prop_assert_eq!(names(&leaks), names(&whole.1));
            Ok(())
        };
        let single: Vec<&[u8]> = body.chunks(1).collect();
        check(&single)?;
        for at in (0..=body.len()).step_by(1 + body.len() / 12) {
            check(&[&body[..at], &body[at..]])?;
        }
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
        cuts.extend([0, body.len()]);
        cuts.sort_unstable();
        let random: Vec<&[u8]> = cuts.windows(2).map(|pair| &body[pair[0]..pair[1]]).collect();
        check(&random)?;
    }

    /// No text makes it panic, or wait for what never comes.
    #[test]
    fn no_text_makes_it_panic(body in prop::collection::vec(any::<u8>(), 0..200), text in "[\\\\%&#;xu{}0-9\r\n\0ab]{0,80}") {
        let guard = guard(&["0000ab00", "\\\\\\\\%%%%&&&&"]);
        for body in [body.as_slice(), text.as_bytes()] {
            cleaned(&guard, body);
            prop_assert_eq!(swept(&guard, &[body]).0.concat(), cleaned(&guard, body).0);
        }
    }
}
