//! The route of an exchange: the first that the router offers and whose predicates hold.

use super::Exchange;
use crate::error::ProxyError;
use crate::generation::{Generation, RouteEntry};
use crate::predicate::Verdict;
use std::sync::Arc;

impl Exchange {
    /// The exchange's route; none where none matches. The body is looked at only where the search comes to a route that
    /// asks for it, and the search then begins anew.
    ///
    /// # Errors
    /// The body was needed and did not come whole.
    pub(super) async fn find_route(
        &mut self,
        generation: &Generation,
    ) -> Result<Option<Arc<RouteEntry>>, ProxyError> {
        if let Some(call) = &self.arrival.tool {
            return Ok(Some(call.route.clone()));
        }
        match self.search(generation) {
            (_, true) => {
                self.inspect(generation.limits.match_body_bytes).await?;
                Ok(self.search(generation).0)
            }
            (route, false) => Ok(route),
        }
    }

    /// The route, and whether the search stopped because the body is needed.
    fn search(&self, generation: &Generation) -> (Option<Arc<RouteEntry>>, bool) {
        let mut needs_body = false;
        let accept = |route: &Arc<RouteEntry>| match route.predicates.test(self) {
            Verdict::Holds => true,
            Verdict::Fails => false,
            Verdict::NeedsBody => {
                needs_body = true;
                true
            }
        };
        let route = generation.router.find(self.host(), &self.path, accept).cloned();
        (route, needs_body)
    }
}
