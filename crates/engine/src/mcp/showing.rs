//! What a caller is shown of an app: the tools whose roles it has, in lists and in documents.
//!
//! Who calls is found out as a call of the tool would, by the authentication plugins of the tool's route. Nobody is refused
//! here: who is not recognised sees what needs no role.

use super::app::McpApp;
use crate::error::ProxyError;
use crate::exchange::Exchange;
use crate::generation::{DocumentAnswer, Identity};
use crate::http::Response;
use crate::plugins::Phase;
use crate::roles::{Caller, Rule};
use ::http::StatusCode;
use serde_json::{Map, Value};

/// Who calls, as one way of authenticating finds.
#[derive(Clone)]
struct Known {
    identity: Option<Identity>,
    claims: Option<Box<Map<String, Value>>>,
    claims_are_own: bool,
}

/// Of each tool, whether the caller of `exchange` may see it; none where all callers see all.
pub(super) async fn shown(exchange: &mut Exchange, app: &McpApp) -> Option<Vec<bool>> {
    if !app.asks_for_roles() {
        return None;
    }
    let generation = exchange.generation.clone();
    let before = Known::take(exchange);
    // Each way is gone once, however many tools have it: to compare a password takes long.
    let mut ways: Vec<([u8; 32], Option<Known>)> = Vec::new();
    let mut shown = Vec::with_capacity(app.tools.len());
    for tool in &app.tools {
        let Some(route) = generation.routes.get(tool.route.as_bytes()).filter(|_| !tool.rules.is_empty())
        else {
            shown.push(tool.rules.is_empty());
            continue;
        };
        if !ways.iter().any(|(entrance, _)| *entrance == route.entrance) {
            before.clone().put(exchange);
            let refused = route.chain.run(Phase::Authenticate..=Phase::Authenticate, exchange).await;
            let known = Some(Known::take(exchange)).filter(|_| refused.is_none());
            known.iter().flat_map(|known| &known.identity).for_each(Identity::note_use);
            ways.push((route.entrance, known));
        }
        let known = ways.iter().find(|(entrance, _)| *entrance == route.entrance);
        let known = known.and_then(|(_, known)| known.as_ref());
        shown.push(known.is_some_and(|known| known.may(&tool.rules, &generation.roles_claim)));
    }
    before.put(exchange);
    Some(shown)
}

/// A document of `app`, in the variant that is for the caller.
pub async fn document(
    exchange: &mut Exchange,
    app: &McpApp,
    document: &DocumentAnswer,
) -> Result<Response, ProxyError> {
    let shown = shown(exchange, app).await;
    let may_see = |name: &String| {
        let nth = app.tools.iter().position(|tool| *tool.name == **name);
        nth.is_some_and(|nth| shown.as_ref().is_none_or(|shown| shown.get(nth) == Some(&true)))
    };
    let mut variants = document.variants.iter();
    let found = variants.find(|(tools, _)| tools.iter().all(may_see)).map(|(_, body)| body.clone());
    Ok(exchange.fixed_answer(StatusCode::OK, &document.headers, &found.unwrap_or_default()))
}

impl Known {
    fn take(exchange: &mut Exchange) -> Self {
        Self {
            identity: exchange.identity.take(),
            claims: exchange.claims.take(),
            claims_are_own: std::mem::take(&mut exchange.claims_are_own),
        }
    }

    fn put(self, exchange: &mut Exchange) {
        exchange.identity = self.identity;
        exchange.claims = self.claims;
        exchange.claims_are_own = self.claims_are_own;
    }

    fn may(&self, rules: &[Rule], claim: &str) -> bool {
        let caller = Caller {
            consumer: self.identity.as_ref().map(|identity| &*identity.consumer),
            claims: self.claims.as_deref().filter(|_| !self.claims_are_own),
            claim,
        };
        rules.iter().all(|rule| rule.admits(&caller))
    }
}
