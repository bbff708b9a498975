//! What a signature covers, and how it is shown: text with names in braces.

use std::str::FromStr;

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    Timestamp,
    Id,
    Method,
    Path,
    Query,
    Target,
    Body,
    Signature,
}

/// What is signed: `{timestamp}.{body}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Over(pub(super) Vec<Part>);

/// How a signature is shown: `t={timestamp},v1={signature}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown(pub(super) Vec<Part>);

/// What can be signed.
const SIGNED: [(&str, Part); 7] = [
    ("timestamp", Part::Timestamp),
    ("id", Part::Id),
    ("method", Part::Method),
    ("path", Part::Path),
    ("query", Part::Query),
    ("target", Part::Target),
    ("body", Part::Body),
];

/// What can be shown beside a signature.
const SHOWN: [(&str, Part); 3] =
    [("signature", Part::Signature), ("timestamp", Part::Timestamp), ("id", Part::Id)];

impl Over {
    /// Whether the time is signed, so that a signature ages.
    pub fn has_time(&self) -> bool {
        self.0.contains(&Part::Timestamp)
    }

    /// Whether the request's id is signed.
    pub fn has_id(&self) -> bool {
        self.0.contains(&Part::Id)
    }

    /// Whether the query is signed.
    pub fn has_query(&self) -> bool {
        self.0.contains(&Part::Query) || self.0.contains(&Part::Target)
    }

    /// Whether nothing but words is signed.
    pub fn is_constant(&self) -> bool {
        self.0.iter().all(|part| matches!(part, Part::Text(_)))
    }
}

impl Shown {
    /// The bare signature.
    pub fn bare() -> Self {
        Self(vec![Part::Signature])
    }

    /// Whether the upstream learns the time from it.
    pub fn has_time(&self) -> bool {
        self.0.contains(&Part::Timestamp)
    }

    /// Whether the upstream learns the request's id from it.
    pub fn has_id(&self) -> bool {
        self.0.contains(&Part::Id)
    }
}

impl FromStr for Over {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text, &SIGNED).map(Self)
    }
}

impl FromStr for Shown {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = parse(text, &SHOWN)?;
        let is_header =
            text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) && text.trim() == text;
        if !is_header {
            return Err("this cannot be the value of a header; write visible ASCII in one line".to_owned());
        }
        match parts.iter().filter(|part| **part == Part::Signature).count() {
            1 => Ok(Self(parts)),
            _ => Err("it is not said where the signature goes; write `{signature}` in it, once".to_owned()),
        }
    }
}

fn parse(text: &str, known: &[(&str, Part)]) -> Result<Vec<Part>, String> {
    let unknown = || {
        let names: Vec<String> = known.iter().map(|(name, _)| format!("`{{{name}}}`")).collect();
        format!("this has a brace that stands for nothing; write text and any of {}", names.join(", "))
    };
    let (mut parts, mut rest) = (Vec::new(), text);
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or_else(unknown)?;
        let (_, part) = known.iter().find(|(known, _)| *known == name).ok_or_else(unknown)?;
        parts.push(Part::Text(before.to_owned()));
        parts.push(part.clone());
        rest = after;
    }
    parts.push(Part::Text(rest.to_owned()));
    if parts.iter().any(|part| matches!(part, Part::Text(text) if text.contains('}'))) {
        return Err(unknown());
    }
    parts.retain(|part| *part != Part::Text(String::new()));
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_text_with_names_it_knows() {
        let over = |text: &str, expected: Option<&[Part]>| {
            assert_eq!(text.parse::<Over>().ok().map(|over| over.0).as_deref(), expected, "{text}");
        };
        let text = |text: &str| Part::Text(text.to_owned());
        over("{timestamp}.{body}", Some(&[Part::Timestamp, text("."), Part::Body]));
        over("v0:{id}", Some(&[text("v0:"), Part::Id]));
        over("", Some(&[]));
        for wrong in ["{signature}", "{Body}", "{", "}", "{body", "body}", "{{body}}", "{}", "{a}"] {
            over(wrong, None);
        }
        let shown = |text: &str, fine: bool| assert_eq!(text.parse::<Shown>().is_ok(), fine, "{text}");
        shown("t={timestamp},v1={signature}", true);
        for wrong in [
            "",
            "v1",
            "{body}{signature}",
            "{signature}{signature}",
            "é{signature}",
            " {signature}",
            "a\n{signature}",
        ] {
            shown(wrong, false);
        }
    }
}
