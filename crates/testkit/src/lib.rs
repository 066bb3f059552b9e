//! What the engine's tests speak HTTP/1.1 with: an upstream that follows a script and a client that sends raw bytes; an
//! upstream that speaks HTTP/2 frame by frame; and a name server with a table.
//!
//! Both see exact bytes and share nothing with the engine, so that a fault of its parser cannot hide itself. Neither
//! sleeps: an upstream that answers slowly waits to be told, and whatever waits for the network gives up after
//! [`PATIENCE`], so that a fault fails a test instead of hanging it. For tests only: misuse panics.

mod client;
mod dns;
pub mod frames;
mod message;
mod upstream;

pub use client::{RawClient, Response};
pub use dns::{DnsAnswer, ScriptedResolver};
pub use upstream::{Received, ScriptedUpstream, Step, closed_address};

use std::future::Future;
use std::io;
use std::time::Duration;

/// How long anything here waits for the network. Far more than a passing test needs.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The outcome of `waiting`, or an error that says `what` did not come about.
async fn patiently<T>(what: &str, waiting: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match tokio::time::timeout(PATIENCE, waiting).await {
        Ok(outcome) => outcome,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, format!("{what} within {PATIENCE:?}"))),
    }
}
