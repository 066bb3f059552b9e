//! Who calls, once it is known: held against the roles that the route and the tool ask for, and told to the upstream and
//! the record.

use super::Exchange;
use crate::error::{Kind, ProxyError};
use crate::generation::RouteEntry;
use crate::http::headers;
use crate::roles::Caller;
use ::http::HeaderValue;

impl Exchange {
    /// What may give the caller roles.
    pub fn caller(&self) -> Caller<'_> {
        Caller {
            consumer: self.identity.as_ref().map(|identity| &*identity.consumer),
            claims: self.claims.as_deref().filter(|_| !self.claims_are_own),
            claim: &self.generation.roles_claim,
        }
    }

    /// Whether the caller has one of the roles of each rule of the route and the tool.
    pub(super) fn check_roles(&self, route: Option<&RouteEntry>) -> Result<(), ProxyError> {
        let of_route = route.and_then(|route| route.rule.as_ref());
        let of_tool = self.arrival.tool.iter().flat_map(|call| call.rules.iter());
        let Some(rule) = of_route.into_iter().chain(of_tool).find(|rule| !rule.admits(&self.caller())) else {
            return Ok(());
        };
        let is_known = self.identity.is_some() || self.claims.is_some();
        let kind = if is_known { Kind::RoleMissing } else { Kind::CallerUnknown };
        Err(ProxyError::new(kind, rule.needed()))
    }

    /// Takes off what only plugins may tell the upstream of the caller.
    pub(crate) fn strip_told(&mut self, route: Option<&RouteEntry>) {
        let told = [&*self.generation.told, route.map(|route| &*route.told).unwrap_or_default()];
        for names in told.into_iter().filter(|names| !names.is_empty()) {
            headers::strip_alike(&mut self.request.headers, names);
        }
    }

    /// The caller, once known, is told to the upstream and the record.
    pub(super) fn tell_identity(&mut self) {
        let Some(identity) = &self.identity else {
            return;
        };
        identity.note_use();
        self.record.consumer = Some(identity.consumer.clone());
        let values = [
            (headers::CONSUMER_USERNAME, Some(&identity.consumer.username)),
            (headers::CREDENTIAL_IDENTIFIER, identity.credential.as_ref()),
            (headers::CONSUMER_CUSTOM_ID, identity.consumer.custom_id.as_ref()),
            (headers::CONSUMER_GROUP_ID, identity.consumer.group.as_ref()),
        ];
        for (name, value) in values {
            if let Some(value) = value.and_then(|text| HeaderValue::from_str(text).ok()) {
                self.request.headers.insert(name, value);
            }
        }
    }
}
