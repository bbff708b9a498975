//! What a body is: how it is written, what it must look like, and how it is
//! reshaped. Knows values and types, and nothing of requests and answers.

pub mod media;
pub mod charset;
pub mod doc;
pub mod json;
mod reader;
mod writer;
mod size;
pub mod jq;
pub mod form;
pub mod multipart;
pub mod schema;
mod apart;
mod fields;

pub use json::{Doc, Val};
pub use media::MediaType;
