//! AWS's own test suite, byte for byte. It lies outside this repository, in
//! the folder that COUNTERSIGN_CORPORA names.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::Value;
use url::Url;

use super::*;
use crate::secret::Secret;

/// One folder of the suite.
struct Case {
    folder: PathBuf,
    context: Value,
}

/// What a request is made of.
struct Parts {
    method: Method,
    target: String,
    headers: HeaderMap,
    body: Bytes,
}

fn cases() -> Vec<Case> {
    #[expect(
        clippy::disallowed_methods,
        reason = "says where the suite is; nothing of it reaches the library"
    )]
    let place = std::env::var("COUNTERSIGN_CORPORA").map(PathBuf::from);
    let place = place.unwrap_or_else(|_| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora"));
    let Ok(folders) = std::fs::read_dir(place.join("sigv4/aws-c-auth")) else { return Vec::new() };
    let folders = folders.map(|folder| folder.unwrap().path()).filter(|path| path.is_dir());
    folders
        .map(|folder| Case {
            context: serde_json::from_slice(&std::fs::read(folder.join("context.json")).unwrap()).unwrap(),
            folder,
        })
        .collect()
}

impl Case {
    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.join(name)).unwrap().replace("\r\n", "\n")
    }

    fn parts(&self, name: &str) -> Parts {
        let text = self.read(name);
        let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
        // A line that begins with a space goes on with the one before (RFC 7230 §3.2.4).
        let unfolded = head.replace("\n ", " ");
        let mut lines = unfolded.lines();
        let first = lines.next().unwrap();
        let (method, rest) = first.split_once(' ').unwrap();
        let target = rest.strip_suffix(" HTTP/1.1").unwrap();
        let mut headers = HeaderMap::new();
        for line in lines.filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':').unwrap();
            headers.append(
                name.parse::<HeaderName>().unwrap(),
                HeaderValue::from_bytes(value.trim().as_bytes()).unwrap(),
            );
        }
        Parts {
            method: method.parse().unwrap(),
            target: target.to_owned(),
            headers,
            body: Bytes::copy_from_slice(body.as_bytes()),
        }
    }

    fn text(&self, pointer: &str) -> Option<Secret> {
        self.context.pointer(pointer)?.as_str().map(Secret::new)
    }

    /// Our settings as the case wants them.
    fn settings(&self, sigv4: &Sigv4) -> SigningSettings {
        let mut settings = sigv4.settings();
        let signs_body = self.context["sign_body"] == true;
        settings.payload_checksum_kind =
            if signs_body { PayloadChecksumKind::XAmzSha256 } else { PayloadChecksumKind::NoHeader };
        settings.uri_path_normalization_mode = (self.context["normalize"] == true).into();
        if self.context["omit_session_token"] == true {
            settings.session_token_mode = SessionTokenMode::Exclude;
        }
        settings
    }

    /// The headers and the parameters that a signature adds, and the request that it is made for.
    fn sign(&self, form: Form) -> (SigningInstructions, Parts) {
        let text = |name: &str| self.context[name].as_str().unwrap().to_owned();
        let (service, region) = (text("service"), text("region"));
        let sigv4 = Sigv4 { service, region, signer: Signer::Own, form, payload: Payload::Signed };
        let keys = Keys::new(
            self.text("/credentials/access_key_id").unwrap(),
            self.text("/credentials/secret_access_key").unwrap(),
            self.text("/credentials/token"),
        );
        let now = humantime::parse_rfc3339(&text("timestamp")).unwrap();
        let mut parts = self.parts("request.txt");
        // Some of its paths are none that a URL's parser leaves alone, or that we send.
        let url = format!("https://example.amazonaws.com{}", utf8_percent_encode(&parts.target, &TARGET));
        let mut unused = "https://a.example/".parse().unwrap();
        let Parts { method, target: parts_target, headers, body } = &mut parts;
        let draft = Draft { id: "r", method, url: &mut unused, headers, body };
        let mut settings = self.settings(&sigv4);
        // The suite's paths are not encoded yet, and are encoded once.
        if !url.ends_with(&*parts_target) {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
        }
        let how = How { settings, body: true, now };
        (sigv4.signature(&keys, &draft, &url, how).ok().unwrap(), parts)
    }
}

/// All that a request line cannot hold.
const TARGET: AsciiSet = percent_encoding::CONTROLS.add(b' ');

fn pairs(query: &str) -> Vec<(String, String)> {
    let mut pairs: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    pairs.sort();
    pairs
}

/// The suite has 38 cases; a copy that lacks some proves less than it says.
const ALL: usize = 38;

#[test]
fn every_header_signature_of_the_suite_is_ours() {
    let cases = cases();
    assert!(cases.is_empty() || cases.len() == ALL);
    for case in cases {
        let (signature, _) = case.sign(Form::Header);
        let ours: HeaderMap = signature
            .headers()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap()))
            .collect();
        let theirs = case.parts("header-signed-request.txt").headers;
        for name in ["authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"] {
            assert_eq!(ours.get(name), theirs.get(name), "{:?} {name}", case.folder);
        }
        let signature = case.read("header-signature.txt");
        assert!(ours["authorization"].to_str().unwrap().ends_with(&format!("Signature={signature}")));
    }
}

#[test]
fn every_query_signature_of_the_suite_is_ours() {
    for case in cases() {
        let lasts = Duration::from_secs(case.context["expiration_in_seconds"].as_u64().unwrap());
        let (signature, parts) = case.sign(Form::Query(lasts));
        assert_eq!(signature.headers().count(), 0);
        let mut url: Url = "https://a.example/".parse().unwrap();
        url.set_query(parts.target.split_once('?').map(|(_, query)| query));
        let Parts { method, mut headers, mut body, .. } = parts;
        extend(
            &mut Draft { id: "r", method: &method, url: &mut url, headers: &mut headers, body: &mut body },
            signature.params(),
        )
        .ok()
        .unwrap();
        let theirs = case.parts("query-signed-request.txt").target;
        assert_eq!(
            pairs(url.query().unwrap()),
            pairs(theirs.split_once('?').unwrap().1),
            "{:?}",
            case.folder
        );
        let signed = format!("X-Amz-Signature={}", case.read("query-signature.txt"));
        assert!(url.query().unwrap().contains(&signed), "{:?}", case.folder);
    }
}
