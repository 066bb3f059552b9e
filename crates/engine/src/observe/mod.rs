//! What an exchange leaves behind: its record, the access log line, metrics.

mod access_log;
mod metrics;
mod record;

pub use access_log::AccessLog;
pub use metrics::{Metrics, Serial, serve_metrics};
pub use record::Record;
