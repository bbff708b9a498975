//! Countersign lets a browser page or a dev workspace call a third-party API
//! without ever holding its key.
//!
//! It is a doorman on AWS Lambda: it checks who asks and what they send, adds
//! the credential they never see, forwards the call, and hands back only what
//! the route allows. [`proxy`] is the life of a request; read that first.

pub mod proxy;
pub mod identity;
pub mod credential;
pub mod secret;
pub mod trail;
pub mod body;
pub mod config;
pub mod wire;

#[cfg(feature = "cli")]
pub mod cli;
