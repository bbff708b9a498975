//! A credential in a field of the body, as some APIs want it: `{"api_key": …}`.
//!
//! It takes the place of whatever a caller wrote there. A body that has no
//! place for it is refused: nothing is sent without its credential.

use std::str::FromStr;

use bytes::Bytes;
use http::{HeaderValue, Method, header};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};
use zeroize::Zeroizing;

use super::{Draft, is_same_param};
use crate::body::json::{self, Map, Unreadable};
use crate::body::{MediaType, Val, charset};
use crate::wire::Problem;
use crate::wire::problem::Kind;

/// Where in a body a field is: a JSON Pointer (RFC 6901) whose steps all name
/// members of objects. In a form `/a/b` is the field `a[b]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer(Vec<String>);

/// How long a body may be with the credential in it, in bytes. Lambda lets no
/// longer one in; the rest is for the credential, and for how it is written.
const LONGEST: usize = 16 << 20;

impl FromStr for Pointer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(rest) = text.strip_prefix('/') else {
            return Err(
                "this is no JSON Pointer; write `/api_key`, or `/auth/key` for what is nested".to_owned()
            );
        };
        let steps: Vec<String> =
            rest.split('/').map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
        if steps.iter().any(String::is_empty) || steps.iter().any(|step| step.contains(['[', ']'])) {
            return Err(
                "a field has a name without brackets; write `/api_key`, or `/auth/key` for what is nested"
                    .to_owned(),
            );
        }
        Ok(Self(steps))
    }
}

impl Pointer {
    /// The field's name in a form.
    fn field(&self) -> String {
        let mut steps = self.0.iter();
        let first = steps.next().cloned().unwrap_or_default();
        steps.fold(first, |name, step| format!("{name}[{step}]"))
    }

    /// Whether the one leads to where the other does, or to a part of it.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(a, b)| a == b)
    }
}

/// Puts values into the body. One that is empty becomes an object, or the form
/// that its type says it is.
///
/// # Errors
/// What the caller sent cannot hold them; or the route is for GET, whose body
/// means nothing (RFC 9110 §9.3.1).
pub(super) fn fill(fields: &[(&Pointer, Zeroizing<String>)], draft: &mut Draft<'_>) -> Result<(), Problem> {
    if [Method::GET, Method::HEAD].contains(draft.method) {
        let cause = "its credential goes into the body, and this method has none";
        return Err(Problem::new(Kind::Internal, "this route is not set up right").because(cause));
    }
    if 1 < draft.headers.get_all(header::CONTENT_TYPE).iter().count() {
        return Err(Problem::new(Kind::ContentTypeNotAllowed, "send one content-type"));
    }
    let media = match draft.headers.get(header::CONTENT_TYPE) {
        Some(text) => text.to_str().ok().and_then(MediaType::parse).ok_or_else(unfit_type)?,
        None if draft.body.is_empty() => MediaType::parse("application/json").ok_or_else(unfit_type)?,
        None => return Err(unfit_type()),
    };
    let body = charset::to_utf8(&media, draft.body).map_err(malformed)?;
    let (body, kind) = match &media {
        media if media.is_json() => (in_json(fields, &body)?, media.essence()),
        // What is percent-encoded in a form is of its charset too.
        media if media.is_form() && media.charset().is_some_and(|set| !set.eq_ignore_ascii_case("utf-8")) => {
            return Err(unfit_type());
        }
        media if media.is_form() => (in_form(fields, &body), media.essence()),
        _ => return Err(unfit_type()),
    };
    // What is UTF-8 now must not say otherwise.
    if media.charset().is_some() || !draft.headers.contains_key(header::CONTENT_TYPE) {
        let kind = HeaderValue::from_str(kind).map_err(|_| unfit_type())?;
        draft.headers.insert(header::CONTENT_TYPE, kind);
    }
    *draft.body = body;
    Ok(())
}

fn in_json(fields: &[(&Pointer, Zeroizing<String>)], body: &Bytes) -> Result<Bytes, Problem> {
    let mut value =
        if body.is_empty() { Val::obj(Map::default()) } else { json::read(body).map_err(malformed)?.value() };
    for (pointer, text) in fields {
        value = put(value, &pointer.0, text).ok_or_else(|| {
            let detail = "this body has no place for the credential; send an object";
            Problem::new(Kind::MalformedBody, detail)
        })?;
    }
    let written = json::write(&value, LONGEST);
    written.map(Bytes::from).map_err(|_| Problem::new(Kind::BodyTooLarge, "the body is too long"))
}

/// The value with a text at a place in it. `None`: on the way there stands
/// something that is no object.
fn put(value: Val, steps: &[String], text: &str) -> Option<Val> {
    let Some((first, rest)) = steps.split_first() else {
        return Some(Val::utf8_str(Bytes::copy_from_slice(text.as_bytes())));
    };
    let Val::Obj(entries) = value else { return None };
    let mut entries = Map::clone(&entries);
    let key = Val::utf8_str(Bytes::copy_from_slice(first.as_bytes()));
    let within = entries.shift_remove(&key).unwrap_or_else(|| Val::obj(Map::default()));
    // Some parsers do not tell `KEY` from `key`, and take the last one.
    entries.retain(|other, _| !is_same_key(other, first));
    entries.insert(key, put(within, rest, text)?);
    Some(Val::obj(entries))
}

fn is_same_key(key: &Val, name: &str) -> bool {
    matches!(key, Val::TStr(key) if key.eq_ignore_ascii_case(name.as_bytes()))
}

/// The caller's own fields stay as they were sent, but for those of the same name.
fn in_form(fields: &[(&Pointer, Zeroizing<String>)], body: &Bytes) -> Bytes {
    let own: Vec<String> = fields.iter().map(|(pointer, _)| pointer.field()).collect();
    let is_own = |field: &[u8]| {
        let name = field.split(|byte| *byte == b'=').next().unwrap_or_default();
        let spaced: Vec<u8> = name.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
        let name = percent_decode(&spaced).decode_utf8_lossy();
        own.iter().any(|own| is_same_param(own, &name) || name.starts_with(&format!("{own}[")))
    };
    // Some parsers end a field at `;` too.
    let has_own = |field: &&[u8]| field.split(|byte| *byte == b';').any(is_own);
    let sent = body.split(|byte| *byte == b'&').filter(|field| !field.is_empty() && !has_own(field));
    let mut form = sent.collect::<Vec<_>>().join(&b'&');
    for (name, (_, text)) in own.iter().zip(fields) {
        let encode = |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let name =
            encode(name).replace("%5F", "_").replace("%2D", "-").replace("%5B", "[").replace("%5D", "]");
        let joint = if form.is_empty() { "" } else { "&" };
        form.extend_from_slice(format!("{joint}{name}={}", encode(text)).as_bytes());
    }
    form.into()
}

fn unfit_type() -> Problem {
    let detail = "send the body with a content-type of application/json or application/x-www-form-urlencoded";
    Problem::new(Kind::ContentTypeNotAllowed, detail)
}

fn malformed(why: Unreadable) -> Problem {
    Problem::new(Kind::MalformedBody, format!("the body cannot be read: {why}"))
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    fn filled(method: &str, kind: &str, body: &str) -> Result<(String, String), Kind> {
        let (method, mut headers) = (method.parse().unwrap(), HeaderMap::new());
        if !kind.is_empty() {
            headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
        }
        let (mut url, mut body) =
            ("https://a.example/".parse().unwrap(), Bytes::copy_from_slice(body.as_bytes()));
        let mut draft =
            Draft { id: "r", method: &method, url: &mut url, headers: &mut headers, body: &mut body };
        let (key, nested) = ("/api_key".parse().unwrap(), "/auth/k~1y".parse().unwrap());
        let text = |text: &str| Zeroizing::new(text.to_owned());
        let fields = [(&key, text("s&\"1")), (&nested, text("é"))];
        fill(&fields, &mut draft).map_err(|problem| problem.kind())?;
        let kind = headers[header::CONTENT_TYPE].to_str().unwrap().to_owned();
        Ok((kind, String::from_utf8(body.to_vec()).unwrap()))
    }

    #[test]
    fn a_credential_takes_its_place_in_the_body() {
        const JSON: &str = "application/json";
        const FORM: &str = "application/x-www-form-urlencoded";
        let check = |kind: &str, body: &str, expected: (&str, &str)| {
            let found = filled("POST", kind, body);
            assert_eq!(found, Ok((expected.0.to_owned(), expected.1.to_owned())), "{kind} {body}");
        };
        let both = r#""api_key":"s&\"1","auth":{"k/y":"é"}"#;
        check("", "", (JSON, &format!("{{{both}}}")));
        check(JSON, "", (JSON, &format!("{{{both}}}")));
        check(
            JSON,
            r#"{"n": 1.10, "m": 12345678901234567890}"#,
            (JSON, &format!(r#"{{"n":1.10,"m":12345678901234567890,{both}}}"#)),
        );
        check(
            JSON,
            r#"{"api_key": ["mine"], "API_key": 1, "auth": {"k/y": 1, "b": 2, "K/Y": 3}, "z": 1}"#,
            (JSON, r#"{"z":1,"api_key":"s&\"1","auth":{"b":2,"k/y":"é"}}"#),
        );
        check(
            "application/vnd.api+json; charset=utf-8",
            "{}",
            ("application/vnd.api+json", &format!("{{{both}}}")),
        );
        let both = "api_key=s%26%221&auth[k%2Fy]=%C3%A9";
        check(FORM, "", (FORM, both));
        check(FORM, "a=1+2&b=%7e&a=", (FORM, &format!("a=1+2&b=%7e&a=&{both}")));
        check(
            FORM,
            "api_key=mine&a=1&API_KEY=x&api%5Fkey[]=y&auth[k/y]=z&api_key[a]=w&api_keys=1",
            (FORM, &format!("a=1&api_keys=1&{both}")),
        );
    }

    #[test]
    fn a_body_without_a_place_for_it_is_refused() {
        let check = |method: &str, kind: &str, body: &str, expected: Kind| {
            assert_eq!(filled(method, kind, body), Err(expected), "{method} {kind} {body}");
        };
        for body in
            ["[]", "[{}]", "1", "null", "\"x\"", r#"{"auth":1}"#, r#"{"auth":null}"#, "{", r#"{"a":1,"a":2}"#]
        {
            check("POST", "application/json", body, Kind::MalformedBody);
        }
        check(
            "POST",
            "application/x-www-form-urlencoded; charset=iso-8859-1",
            "a=%E9",
            Kind::ContentTypeNotAllowed,
        );
        for kind in ["text/plain", "multipart/form-data; boundary=x", "", "nonsense"] {
            check("PUT", kind, "x", Kind::ContentTypeNotAllowed);
        }
        check("GET", "application/json", "{}", Kind::Internal);
        check("HEAD", "", "", Kind::Internal);
    }

    #[test]
    fn a_pointer_names_members_of_objects() {
        let check = |text: &str, field: Option<&str>| {
            assert_eq!(
                text.parse::<Pointer>().ok().map(|pointer| pointer.field()).as_deref(),
                field,
                "{text}"
            );
        };
        check("/api_key", Some("api_key"));
        check("/auth/key/a", Some("auth[key][a]"));
        check("/a~1b/~0c", Some("a/b[~c]"));
        for wrong in ["", "/", "api_key", "/a//b", "/a/", "/a[b]"] {
            check(wrong, None);
        }
    }
}
