//! Exchanges made without a listener, for tests.

use super::{Arrival, Exchange};
use crate::http::{Request, framing};
use crate::server::Worker;
use std::rc::Rc;

impl Exchange {
    /// An exchange of `worker` whose path is taken as it stands, before any plugin has run.
    pub fn for_test(worker: &Rc<Worker>, request: Request, arrival: Arrival) -> Self {
        let (request, body) = request.into_parts();
        let mut exchange = Self::new(worker, request, body, arrival);
        exchange.path = exchange.request.uri.path().to_owned();
        exchange.record.path.clone_from(&exchange.path);
        exchange.record.host =
            framing::check(&exchange.request).ok().flatten().unwrap_or_default().to_owned();
        exchange
    }
}
