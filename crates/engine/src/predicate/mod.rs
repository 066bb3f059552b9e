//! Predicates: what a route asks of a request beyond host, path and priority.
//!
//! They are compiled once a snapshot and asked by the exchange for each candidate that the router offers, cheapest
//! first. Expressions are those of APISIX's `vars` (the language of lua-resty-expr). What a predicate compares are
//! [`crate::variable`]s; the body is read, by the exchange, only where an expression that is reached needs it.

mod comparison;
mod expression;
#[cfg(test)]
mod tests;

pub use expression::{Expression, Problem};

use crate::exchange::Exchange;
use crate::network::Networks;
use ::http::Method;

/// All predicates of one route.
#[derive(Default)]
pub struct Predicates {
    /// Empty: any.
    pub methods: Vec<Method>,
    /// Where the client must be; none: anywhere.
    pub addresses: Option<Networks>,
    pub expression: Option<Expression>,
}

/// What predicates say of an exchange.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    Holds,
    Fails,
    /// The body has to be looked at first.
    NeedsBody,
}

impl Predicates {
    /// Whether the route takes `exchange`. A body that is too long to be looked at fails what needs it, negated or not.
    pub fn test(&self, exchange: &Exchange) -> Verdict {
        let is_method = self.methods.is_empty() || self.methods.contains(&exchange.request.method);
        let is_addressed =
            || self.addresses.as_ref().is_none_or(|networks| networks.contain(exchange.arrival.client.ip()));
        if !is_method || !is_addressed() {
            return Verdict::Fails;
        }
        let Some(expression) = &self.expression else {
            return Verdict::Holds;
        };
        if expression.needs_body() {
            match &exchange.inspected {
                None => return Verdict::NeedsBody,
                Some(inspected) if inspected.is_too_long => return Verdict::Fails,
                Some(_) => {}
            }
        }
        if expression.holds(exchange) { Verdict::Holds } else { Verdict::Fails }
    }
}
