//! The values of a `link` header (RFC 8288 §3), taken apart as far as needed
//! to change where they lead: parameters stay as they were written.

/// One link: `<https://…?page=2>; rel="next"`.
#[derive(Debug, PartialEq)]
pub(super) struct Link<'h> {
    /// Where it leads, without the angle brackets.
    pub(super) target: &'h str,
    /// All that stands behind the closing bracket.
    pub(super) params: &'h str,
}

impl<'h> Link<'h> {
    /// Reads one value. `None` where it is none: no target, or something
    /// other than parameters behind it.
    pub(super) fn parse(value: &'h str) -> Option<Self> {
        let (target, params) = value.strip_prefix('<')?.split_once('>')?;
        let fits = params.is_empty() || params.trim_start().starts_with(';');
        (fits && is_closed(params)).then_some(Self { target, params })
    }
}

/// The comma-separated values of one header line. A comma in a target or in a
/// quoted string separates nothing.
pub(super) fn values(line: &str) -> Vec<&str> {
    let mut values = Vec::new();
    let (mut place, mut start) = (Place::Between, 0);
    for (at, c) in line.char_indices() {
        if place == Place::Between && c == ',' {
            values.push(line.get(start..at).unwrap_or_default());
            start = at + 1;
        }
        place = place.after(c);
    }
    values.push(line.get(start..).unwrap_or_default());
    values.into_iter().map(str::trim).filter(|value| !value.is_empty()).collect()
}

/// Where a reader of a header line stands.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Between,
    Target,
    Quoted,
    /// Behind a backslash in a quoted string (RFC 9110 §5.6.4).
    Escaped,
}

impl Place {
    fn after(self, c: char) -> Self {
        match (self, c) {
            (Self::Between, '<') => Self::Target,
            (Self::Between, '"') => Self::Quoted,
            (Self::Target, '>') | (Self::Quoted, '"') => Self::Between,
            (Self::Quoted, '\\') => Self::Escaped,
            (Self::Escaped, _) => Self::Quoted,
            (place, _) => place,
        }
    }
}

/// Whether each quoted string ends: one that does not has swallowed what follows.
fn is_closed(params: &str) -> bool {
    params.chars().fold(Place::Between, Place::after) == Place::Between
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_end_at_commas_that_separate() {
        let check = |line: &str, expected: &[&str]| assert_eq!(values(line), expected, "{line}");
        check(r#"<a>; rel="next", <b>; rel="last""#, &[r#"<a>; rel="next""#, r#"<b>; rel="last""#]);
        check("<a?x=1,2>; rel=next,<b>", &["<a?x=1,2>; rel=next", "<b>"]);
        check(r#"<a>; title="x, <y>", <b>"#, &[r#"<a>; title="x, <y>""#, "<b>"]);
        check(r#"<a>; title="say \", <c>", <b>"#, &[r#"<a>; title="say \", <c>""#, "<b>"]);
        check(r#"<a"b>, <c>"#, &[r#"<a"b>"#, "<c>"]);
        check(" , <a> ,, ", &["<a>"]);
        check("", &[]);
        check("<a, <b>; rel=x, <c>", &["<a, <b>; rel=x", "<c>"]);
        check(r#"<a>; title="open, <b>"#, &[r#"<a>; title="open, <b>"#]);
    }

    #[test]
    fn a_link_is_a_target_and_what_stands_behind() {
        let check = |value: &str, expected: Option<(&str, &str)>| {
            let found = Link::parse(value).map(|link| (link.target, link.params));
            assert_eq!(found, expected, "{value}");
        };
        check(r#"<a>; rel="next"; foo"#, Some(("a", r#"; rel="next"; foo"#)));
        check("<a>;rel=x", Some(("a", ";rel=x")));
        check("<a> ; rel=x", Some(("a", " ; rel=x")));
        check("<>", Some(("", "")));
        for wrong in ["a", "<a", "a>; rel=x", "<a> rel=x", "<a><b>", r#"<a>; title="open"#, ""] {
            check(wrong, None);
        }
    }
}
