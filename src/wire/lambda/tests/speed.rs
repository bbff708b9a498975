use super::*;
#[test]
#[ignore]
#[expect(clippy::disallowed_methods)]
fn speed() {
    let event = std::fs::read_to_string("/tmp/h1/target/bench.json").unwrap();
    for _ in 0..3 {
        let n = 20000;
        let t = std::time::Instant::now();
        for _ in 0..n { std::hint::black_box(request(std::hint::black_box(&event), "x").unwrap()); }
        eprintln!("request {} bytes: {:?}", event.len(), t.elapsed() / n);
        let t = std::time::Instant::now();
        for _ in 0..n { std::hint::black_box(json::Json::parse(std::hint::black_box(&event)).unwrap()); }
        eprintln!("parse: {:?}", t.elapsed() / n);
        let t = std::time::Instant::now();
        for _ in 0..n { std::hint::black_box(serde_json::from_str::<serde::de::IgnoredAny>(std::hint::black_box(&event)).unwrap()); }
        eprintln!("ignore: {:?}", t.elapsed() / n);
    }
    let mut h = http::HeaderMap::new();
    h.insert("content-type", "application/json".parse().unwrap());
    let r = Response::new(http::StatusCode::OK, h, bytes::Bytes::from("{\"a\":1}".repeat(146)));
    let n = 20000; let t = std::time::Instant::now();
    for _ in 0..n { std::hint::black_box(serde_json::to_vec(&answer(&r, Form::Rest)).unwrap()); }
    eprintln!("answer: {:?}", t.elapsed() / n);
}
