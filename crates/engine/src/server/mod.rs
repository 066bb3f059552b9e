//! Listeners and workers. Each worker is a thread with its own runtime, listener, connections and pool: on the request
//! path workers share only the current generation, which they read, and counters.

mod aside;
mod client;
mod connection;
mod listener;
mod worker;

pub use aside::{AsideResponse, serve_aside};
pub use listener::bind;
pub use worker::{Shared, Worker, WorkerThread, run_once};
