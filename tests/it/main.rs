//! The library from outside: stories with a real upstream on loopback.

#[cfg(feature = "cli")]
mod check;
