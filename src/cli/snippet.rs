//! A flaw as a compiler shows it: the line, a caret under the place, and how
//! to mend it. Where the line holds what could be a secret, it is veiled: CI
//! logs are read by more people than files are.

use std::io;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::Terminal;
use crate::config::{Flaw, veil};

pub(super) fn show(
    (level, flaw): (Level<'_>, &Flaw),
    name: &str,
    file: &[u8],
    terminal: &mut Terminal<'_>,
) -> io::Result<()> {
    let source = source(file);
    let span = span(&source, flaw);
    let source = veiled(source, span.clone(), &flaw.at);
    let place = AnnotationKind::Primary.span(span).label(flaw.at.as_str());
    let snippet = Snippet::source(source.as_str()).path(name).annotation(place);
    let mut group = level.primary_title(flaw.what.as_str()).element(snippet);
    if let Some(help) = &flaw.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    let renderer = if terminal.colours { Renderer::styled() } else { Renderer::plain() };
    writeln!(terminal.out, "{}\n", renderer.render(&[group]))
}

/// The text of a file, as lines that end in a line feed, byte for byte where it was.
fn source(file: &[u8]) -> String {
    let text = String::from_utf8_lossy(file);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut source = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        source.push(if c == '\r' && chars.peek() != Some(&'\n') { '\n' } else { c });
    }
    source
}

/// The bytes that a flaw covers.
fn span(source: &str, flaw: &Flaw) -> Range<usize> {
    let lines = source.split_inclusive('\n').take(flaw.line - 1);
    let start_of_line: usize = lines.map(str::len).sum();
    let line = source.get(start_of_line..).unwrap_or_default().lines().next().unwrap_or_default();
    let byte = |column: usize| line.char_indices().nth(column).map_or(line.len(), |(byte, _)| byte);
    start_of_line + byte(flaw.column - 1)..start_of_line + byte(flaw.column - 1 + flaw.width)
}

/// The fields that hold references to secrets, or stand where a secret may.
const SECRETIVE: [&str; 7] = ["bearer", "credential", "secret", "username", "password", "value", "format"];

fn veiled(source: String, span: Range<usize>, at: &str) -> String {
    let field = at.rsplit('.').next().unwrap_or_default();
    let token = source.get(span.clone()).unwrap_or_default();
    let is_reference =
        token.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) && token.len() <= 32;
    let is_collection = token.starts_with(['{', '[']);
    if !SECRETIVE.contains(&field) || is_reference || is_collection {
        return veil(&source);
    }
    let stars = "*".repeat(token.len());
    let (before, after) =
        (source.get(..span.start).unwrap_or_default(), source.get(span.end..).unwrap_or_default());
    veil(&format!("{before}{stars}{after}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(file: &[u8]) -> String {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut terminal = Terminal { out: &mut out, err: &mut err, colours: false, watched: false };
        for flaw in crate::config::read(file).err().unwrap_or_default() {
            show((Level::ERROR, &flaw), "f.yaml", file, &mut terminal).unwrap();
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_could_be_a_secret_is_veiled() {
        let check = |value: &str, expected: bool| {
            let file = format!(
                "version: 1\nupstreams: {{ a: {{ url: 'https://a.com', credential: {{ bearer: {value} }} }} }}"
            );
            assert_eq!(shown(file.as_bytes()).contains(value), expected, "{value}");
        };
        check("githbu.token", true);
        check("hunter2!", false);
        check("'pass word'", false);
        check("0123456789abcdef0123456789abcdef", false);
    }

    #[test]
    fn so_it_is_beside_a_preset() {
        let check = |preset: &str| {
            let file = format!(
                "version: 1\nupstreams: {{ a: {{ preset: {preset}, credential: 'hunter2!.word' }} }}"
            );
            let text = shown(file.as_bytes());
            assert!(text.contains("****") && !text.contains("hunter2"), "{text}");
        };
        check("openai");
        check("anthropic");
        check("trello");
    }

    #[test]
    fn the_caret_stands_under_what_is_wrong_also_behind_wide_letters() {
        let text = shown("version: 1\nroutes: { GET /ü☕: { alow: [] } }\n".as_bytes());
        let line =
            "2 | routes: { GET /ü☕: { alow: [] } }\n  |                       ^^^^ routes.GET /ü☕.alow\n";
        assert!(text.contains(line), "{text}");
    }

    proptest! {
        #[test]
        fn any_flaw_can_be_shown(text in "(?s)[-\\[\\]{}:,&*!|>'\"%@`#?a-c0-2 \n\t\r~<=é☕\u{feff}\u{1b}]{0,120}", tail in any::<Vec<u8>>()) {
            let shown = shown(&[text.as_bytes(), &tail].concat());
            let escapes = shown.contains('\u{1b}');
            prop_assert!(!escapes);
        }
    }
}
