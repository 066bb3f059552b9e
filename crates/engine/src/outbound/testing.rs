//! A worker on a runtime of its own, for tests of what asks other servers.

use crate::plugins::testing::Bench;
use crate::server::Worker;
use serde_json::json;
use std::rc::Rc;
use tokio::runtime::{Builder, LocalOptions};

/// Runs `test` with a worker.
pub fn on_worker<F: Future>(test: impl FnOnce(Rc<Worker>) -> F) -> F::Output {
    on_runtime(&mut Builder::new_current_thread(), || test(Bench::new(json!({})).worker))
}

/// Runs `test` on a clock that stands still but for being advanced.
pub fn with_clock<F: Future>(test: impl FnOnce() -> F) -> F::Output {
    on_runtime(Builder::new_current_thread().start_paused(true), test)
}

pub fn on_runtime<F: Future>(builder: &mut Builder, test: impl FnOnce() -> F) -> F::Output {
    let runtime = builder.enable_all().build_local(LocalOptions::default()).expect("a runtime");
    runtime.block_on(async { test().await })
}
