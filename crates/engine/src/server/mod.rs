//! Listeners and workers. Each worker is a thread with its own runtime, listener, connections and pool: on the request
//! path workers share only the current generation, which they read, and counters.

mod activity;
mod aside;
mod bell;
mod client;
mod connection;
mod connections;
mod files;
mod http1;
mod http2;
mod listener;
mod opening;
pub mod tls;
pub mod upgrade;
mod websocket;
mod worker;

pub use activity::{Activity, UnderWay};
pub use aside::{AsideResponse, serve_aside};
#[cfg(any(test, feature = "fuzzing"))]
pub use connection::converse;
pub use connections::{Connections, Queue};
pub use files::{most_files, raise_most_files};
pub use listener::{Listener, bind};
pub use worker::{Shared, Worker, WorkerThread, run_once};
