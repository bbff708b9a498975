//! Other people's tables of CORS cases, read into what they have in common.

use std::path::PathBuf;

use serde_json::Value;

/// A case: a configuration, a request, and the headers that the other library answers with.
pub struct Case {
    pub name: String,
    pub config: Config,
    pub method: String,
    pub headers: Vec<(String, String)>,
    pub want: Vec<(String, String)>,
}

/// What both libraries can configure, and the words for which we have none.
#[derive(Clone, Default)]
pub struct Config {
    pub origins: Vec<String>,
    pub credentials: bool,
    pub methods: Vec<String>,
    pub request_headers: Vec<String>,
    pub response_headers: Vec<String>,
    pub max_age: Option<i64>,
    pub foreign: Vec<String>,
}

/// A table, where it is there.
pub fn corpus(name: &str) -> Option<Value> {
    let text = std::fs::read_to_string(place("cors").join(name)).ok()?;
    Some(serde_json::from_str(&text).unwrap())
}

/// A folder of tables, where it is there.
pub fn place(name: &str) -> PathBuf {
    #[expect(
        clippy::disallowed_methods,
        reason = "says where the tables are; nothing of it reaches the library"
    )]
    let place = std::env::var("COUNTERSIGN_CORPORA").map(PathBuf::from);
    let place = place.unwrap_or_else(|_| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora"));
    place.join(name)
}

fn words(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(|word| word.as_str().unwrap().to_owned()).collect()
}

/// A Go `http.Header`: names with lists of values. An empty one may be written `[]`.
fn lines(value: &Value) -> Vec<(String, String)> {
    let headers = value.as_object().into_iter().flatten();
    headers
        .flat_map(|(name, values)| words(values).into_iter().map(|value| (name.to_lowercase(), value)))
        .collect()
}

/// The cases of `jub0bs-middleware-cases.json`.
pub fn jub0bs(table: &Value) -> Vec<Case> {
    let groups = table.as_array().unwrap().iter();
    groups
        .flat_map(|group| group["cases"].as_array().unwrap().iter().map(move |case| jub0bs_case(group, case)))
        .collect()
}

fn jub0bs_case(group: &Value, case: &Value) -> Case {
    let given = &group["config"];
    let methods = words(&given["Methods"]);
    let config = Config {
        origins: words(&given["Origins"]),
        credentials: given["Credentialed"] == true,
        methods: if methods.is_empty() { safelisted() } else { methods },
        request_headers: words(&given["RequestHeaders"]),
        response_headers: words(&given["ResponseHeaders"]),
        max_age: given["MaxAgeInSeconds"].as_i64(),
        foreign: Vec::new(),
    };
    Case {
        name: format!("{}: {}", group["desc"], case["desc"]),
        config,
        method: case["method"].as_str().unwrap().to_owned(),
        headers: lines(&case["headers"]),
        want: lines(&case["want"]),
    }
}

/// The cases of `rs-cors-spec-cases.json`.
pub fn rs(table: &Value) -> Vec<Case> {
    table.as_array().unwrap().iter().map(rs_case).collect()
}

fn rs_case(case: &Value) -> Case {
    const OURS: [&str; 6] = [
        "AllowedOrigins",
        "AllowCredentials",
        "AllowedMethods",
        "AllowedHeaders",
        "ExposedHeaders",
        "MaxAge",
    ];
    let given = &case[1];
    // What rs/cors allows where it is told nothing.
    let or = |name: &str, default: &[&str]| match words(&given[name]) {
        words if words.is_empty() => default.iter().map(|word| (*word).to_owned()).collect(),
        words => words,
    };
    let options = given.as_object().into_iter().flatten().map(|(name, _)| name.clone());
    let config = Config {
        origins: or("AllowedOrigins", &["*"]),
        credentials: given["AllowCredentials"] == true,
        methods: or("AllowedMethods", &["GET", "POST", "HEAD"]),
        request_headers: or("AllowedHeaders", &["accept", "content-type", "x-requested-with"]),
        response_headers: words(&given["ExposedHeaders"]),
        max_age: given["MaxAge"].as_i64(),
        foreign: options.filter(|name| !OURS.contains(&name.as_str())).collect(),
    };
    Case {
        name: case[0].as_str().unwrap().to_owned(),
        config,
        method: case[2].as_str().unwrap().to_owned(),
        headers: lines(&case[3]),
        want: lines(&case[4]),
    }
}

fn safelisted() -> Vec<String> {
    ["GET", "HEAD", "POST"].map(str::to_owned).to_vec()
}

impl Case {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The method that a preflight asks leave for.
    pub fn asked(&self) -> Option<&str> {
        self.header("access-control-request-method").filter(|_| self.method == "OPTIONS")
    }

    /// The headers that it asks leave for.
    pub fn names(&self) -> Vec<String> {
        let lines = self.headers.iter().filter(|(name, _)| name == "access-control-request-headers");
        let words = lines.flat_map(|(_, value)| value.split(','));
        words.map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect()
    }
}
