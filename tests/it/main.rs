//! The proxy from outside: a caller in front of it, a real server behind it.
//!
//! One binary, so that it links once. `world` is the stage, `upstream`,
//! `manager` and `tls` are its actors, and `browser` judges answers as a browser would.
//! Then come the stories, in request order.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod world;
mod upstream;
mod manager;
mod tls;
mod browser;

mod order;
mod cors;
mod corpora;
mod tables;
mod routing;
mod urls;
mod schemas;
mod headers;
mod credentials;
mod tokens;
mod issuers;
mod callers;
mod choices;
mod presets;
mod signatures;
mod mtls;
mod observe;
mod certificates;
mod reach;
mod surroundings;
mod vault;
mod rotation;
mod patience;
mod failures;
mod guard;
mod secrecy;
mod codings;
mod links;
mod transforms;
mod dialect;
mod caching;
mod streaming;
mod guide;
mod record;
mod records;
mod delivery;
mod metrics;
mod meters;
mod traces;

mod house;

#[cfg(feature = "cli")]
mod check;
#[cfg(feature = "cli")]
mod audit;
