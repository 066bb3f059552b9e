//! Variables of an exchange, as `remote_addr` or `http_x_tenant`: what plugins write and predicates compare.
//!
//! Names are nginx's and APISIX's, and unknown ones are refused when a plugin or route is built; reading a value only
//! appends to a buffer. Values are as the exchange sees them: the path is normalised and stays percent-encoded, query
//! arguments are decoded, so that two spellings of one value count as one. Texts with variables in them are
//! [`Template`]s.

mod template;

pub use template::{Part, Template};

use crate::exchange::Exchange;
use crate::graphql::GraphQlPart;
use crate::near::near;
use ::http::{HeaderName, header};
use serde_json::Value;
use std::cell::RefCell;
use std::fmt::Write as _;

/// A value that every exchange has, if only empty.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Variable {
    RemoteAddress,
    Uri,
    RequestUri,
    Host,
    Method,
    Scheme,
    ConsumerName,
    ConsumerGroup,
    Route,
    Service,
    /// A query argument, by its decoded name; the first where there are several.
    Argument(Box<str>),
    Header(HeaderName),
    Cookie(Box<str>),
    /// A claim of the caller's token, once a plugin has verified and kept it; a list is joined by spaces.
    Claim(Box<str>),
    ServerPort,
    QueryString,
    /// A field of a form that is the body, by its decoded name. Only predicates of routes read it.
    PostArgument(Box<str>),
    /// What a GraphQL request asks for. Only predicates of routes read it.
    GraphQl(GraphQlPart),
}

const NAMES: &[(&str, Variable)] = &[
    ("remote_addr", Variable::RemoteAddress),
    ("uri", Variable::Uri),
    ("request_uri", Variable::RequestUri),
    ("host", Variable::Host),
    ("method", Variable::Method),
    ("request_method", Variable::Method),
    ("scheme", Variable::Scheme),
    ("consumer_name", Variable::ConsumerName),
    ("consumer_group_id", Variable::ConsumerGroup),
    ("route_id", Variable::Route),
    ("service_id", Variable::Service),
    ("server_port", Variable::ServerPort),
    ("query_string", Variable::QueryString),
    ("args", Variable::QueryString),
];

/// What is known only once the body has come.
const BODY_NAMES: &[(&str, Variable)] = &[
    ("graphql_operation", Variable::GraphQl(GraphQlPart::Operation)),
    ("graphql_name", Variable::GraphQl(GraphQlPart::Name)),
    ("graphql_root_fields", Variable::GraphQl(GraphQlPart::RootFields)),
];

impl Variable {
    /// The variable of this name, without `$`. The error suggests near names.
    pub fn parse(name: &str) -> Result<Self, String> {
        if let Some((_, variable)) = NAMES.iter().find(|(known, _)| *known == name) {
            return Ok(variable.clone());
        }
        let parameter = |prefix| name.strip_prefix(prefix).filter(|rest: &&str| !rest.is_empty());
        if let Some(argument) = parameter("arg_") {
            return Ok(Variable::Argument(argument.into()));
        }
        if let Some(cookie) = parameter("cookie_") {
            return Ok(Variable::Cookie(cookie.into()));
        }
        if let Some(claim) = parameter("jwt_claim_") {
            return Ok(Variable::Claim(claim.into()));
        }
        if let Some(header) = parameter("http_") {
            let header = header.replace('_', "-").parse();
            return header.map(Variable::Header).map_err(|_| format!("${name} names no valid header"));
        }
        if Self::of_body(name).is_some() {
            return Err(format!("${name} is known to the vars of routes alone"));
        }
        let mut message = format!("there is no variable ${name}");
        match near(name, NAMES.iter().map(|(known, _)| *known)) {
            Some(near) => _ = write!(message, "; did you mean ${near}?"),
            None => {
                message.push_str("; there are $remote_addr, $uri, $http_<header>, $arg_<name> and others")
            }
        }
        Err(message)
    }

    /// The variable of this name that a route's predicates may compare, those of the body among them.
    pub fn parse_for_route(name: &str) -> Result<Self, String> {
        Self::of_body(name).map_or_else(|| Self::parse(name), Ok)
    }

    fn of_body(name: &str) -> Option<Self> {
        let field = name.strip_prefix("post_arg_").filter(|field| !field.is_empty());
        let known = || BODY_NAMES.iter().find(|(known, _)| *known == name);
        field
            .map(|field| Self::PostArgument(field.into()))
            .or_else(|| known().map(|(_, found)| found.clone()))
    }

    /// Appends the value in `exchange`. Whether it has one that is not empty.
    pub fn write(&self, exchange: &Exchange, buffer: &mut String) -> bool {
        let before = buffer.len();
        self.read(exchange, buffer);
        buffer.len() > before
    }

    /// Appends the value in `exchange`. Whether it has one, if only an empty one.
    pub fn read(&self, exchange: &Exchange, buffer: &mut String) -> bool {
        match self {
            Variable::RemoteAddress => _ = write!(buffer, "{}", exchange.arrival.client.ip().to_canonical()),
            Variable::ServerPort => _ = write!(buffer, "{}", exchange.arrival.port),
            Variable::Uri => buffer.push_str(&exchange.path),
            Variable::RequestUri => {
                buffer.push_str(exchange.request.uri.path_and_query().map_or("/", |uri| uri.as_str()));
            }
            Variable::Host => {
                buffer.extend(exchange.host().chars().map(|letter| letter.to_ascii_lowercase()))
            }
            Variable::Method => buffer.push_str(exchange.request.method.as_str()),
            Variable::Scheme => buffer.push_str(exchange.arrival.scheme),
            Variable::QueryString => match exchange.request.uri.query() {
                Some(query) => buffer.push_str(query),
                None => return false,
            },
            _ => return self.read_optional(exchange, buffer),
        }
        true
    }

    /// What an exchange need not have.
    fn read_optional(&self, exchange: &Exchange, buffer: &mut String) -> bool {
        let consumer = exchange.identity.as_ref().map(|identity| &identity.consumer);
        let route = exchange.route.as_ref();
        match self {
            Variable::ConsumerName => append(consumer.map(|consumer| &consumer.username), buffer),
            Variable::ConsumerGroup => append(consumer.and_then(|consumer| consumer.group.as_ref()), buffer),
            Variable::Route => append(route.map(|route| &route.id), buffer),
            Variable::Service => append(route.map(|route| &route.service), buffer),
            Variable::Cookie(name) => append(cookie(exchange, name), buffer),
            Variable::Claim(name) => {
                let claim = exchange.claims.as_ref().and_then(|claims| claims.get(&**name));
                claim.is_some_and(|claim| write_claim(claim, buffer))
            }
            _ => self.each(exchange, &mut |value| {
                buffer.push_str(value);
                true
            }),
        }
    }

    /// Offers the values one by one until `take` takes one; whether it did. Arguments and headers that are repeated
    /// have several, GraphQL's root fields any number, all others one at most.
    pub fn each(&self, exchange: &Exchange, take: &mut dyn FnMut(&str) -> bool) -> bool {
        let inspected = exchange.inspected.as_ref();
        match self {
            Variable::Argument(name) => {
                each_argument(exchange.request.uri.query().unwrap_or_default(), name, take)
            }
            Variable::PostArgument(name) => {
                inspected.is_some_and(|inspected| each_argument(inspected.form(), name, take))
            }
            Variable::GraphQl(part) => {
                let operation = inspected.and_then(|inspected| inspected.graphql());
                operation.is_some_and(|operation| operation.each(*part, take))
            }
            Variable::Header(name) => {
                let mut values = exchange.request.headers.get_all(name).iter();
                values.any(|value| take(&String::from_utf8_lossy(value.as_bytes())))
            }
            _ => with_buffer(|buffer| self.read(exchange, buffer) && take(buffer)),
        }
    }

    /// Whether the value can only be known once the body has come.
    pub fn is_of_body(&self) -> bool {
        matches!(self, Variable::PostArgument(_) | Variable::GraphQl(_))
    }

    /// Whether the value is already in the form that a URI needs.
    pub fn is_encoded(&self) -> bool {
        matches!(self, Variable::Uri | Variable::RequestUri)
    }
}

/// Appends a claim; texts of a list have spaces between them, as scopes do. Whether it has a form as a text.
pub fn write_claim(claim: &Value, buffer: &mut String) -> bool {
    match claim {
        Value::String(text) => buffer.push_str(text),
        Value::Bool(_) | Value::Number(_) => _ = write!(buffer, "{claim}"),
        Value::Array(items) => {
            for (nth, item) in items.iter().filter_map(Value::as_str).enumerate() {
                if nth > 0 {
                    buffer.push(' ');
                }
                buffer.push_str(item);
            }
        }
        Value::Null | Value::Object(_) => return false,
    }
    true
}

fn append(text: Option<impl AsRef<str>>, buffer: &mut String) -> bool {
    if let Some(text) = &text {
        buffer.push_str(text.as_ref());
    }
    text.is_some()
}

fn each_argument(query: &str, wanted: &str, take: &mut dyn FnMut(&str) -> bool) -> bool {
    let mut named = arguments(query).filter(|(name, _)| decodes_to(name, wanted));
    named.any(|(_, value)| take(&decoded(value)))
}

/// The value of the cookie `wanted`, the first where there are several.
pub fn cookie<'e>(exchange: &'e Exchange, wanted: &str) -> Option<&'e str> {
    let headers = exchange.request.headers.get_all(header::COOKIE).iter();
    let pairs = headers.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
    let mut pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == wanted).map(|(_, value)| value)
}

/// The arguments of a query as they stand in it: name and value, still encoded.
pub fn arguments(query: &str) -> impl Iterator<Item = (&str, &str)> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts.map(|part| part.split_once('=').unwrap_or((part, "")))
}

/// Whether the encoded `text` means `wanted`.
pub fn decodes_to(text: &str, wanted: &str) -> bool {
    text == wanted || (text.contains(['%', '+']) && decoded(text) == wanted)
}

/// The meaning of an encoded name or value in a query, where `+` is a space (the URL Standard's
/// application/x-www-form-urlencoded). What is not UTF-8 is replaced.
pub fn decoded(text: &str) -> std::borrow::Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return text.into();
    }
    let spaced = text.replace('+', " ");
    let bytes: Vec<u8> = percent_encoding::percent_decode_str(&spaced).collect();
    String::from_utf8_lossy(&bytes).into_owned().into()
}

/// Runs `work` with the thread's own empty buffer, so that no request allocates one.
pub fn with_buffer<T>(work: impl FnOnce(&mut String) -> T) -> T {
    thread_local! {
        static BUFFER: RefCell<String> = const { RefCell::new(String::new()) };
    }
    // Taken out while in use, so that one use within another gets a buffer too.
    let mut buffer = BUFFER.take();
    buffer.clear();
    let result = work(&mut buffer);
    BUFFER.set(buffer);
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugins::testing::{Bench, get};
    use http::request::Builder;
    use serde_json::json;

    fn value(name: &str, request: Builder) -> String {
        let bench = Bench::new(json!({"key-auth": {"anonymous_consumer": "guest"}}));
        let mut exchange = bench.exchange(request);
        assert!(bench.run(&mut exchange).is_none());
        let mut text = String::new();
        let has_value = Variable::parse(name).unwrap().write(&exchange, &mut text);
        assert_eq!(has_value, !text.is_empty());
        text
    }

    #[test]
    fn every_variable_has_its_value() {
        let request = || {
            let builder = get("/a%20b?x=1%2B+2&x=3&flag&%79=why").header("Host", "API.example:9080");
            builder
                .header("apikey", "alice-key")
                .header("X-Tenant-Id", "t1")
                .header("Cookie", "a=1; session=s==; b=2")
        };
        for (name, expected) in [
            ("remote_addr", "192.0.2.7"),
            ("uri", "/a%20b"),
            ("request_uri", "/a%20b?x=1%2B+2&x=3&flag&%79=why"),
            ("host", "api.example"),
            ("method", "GET"),
            ("request_method", "GET"),
            ("scheme", "http"),
            ("consumer_name", "alice"),
            ("consumer_group_id", "staff"),
            ("route_id", "route"),
            ("service_id", "shop"),
            ("arg_x", "1+ 2"),
            ("arg_y", "why"),
            ("arg_flag", ""),
            ("arg_none", ""),
            ("http_x_tenant_id", "t1"),
            ("http_none", ""),
            ("cookie_session", "s=="),
            ("cookie_none", ""),
        ] {
            assert_eq!(value(name, request()), expected, "{name}");
        }
        assert_eq!(value("consumer_group_id", get("/")), "");
        assert_eq!(value("host", get("/")), "");
    }

    #[test]
    fn refuses_unknown_names_and_suggests_near_ones() {
        for (name, why) in [
            ("remote_address", "did you mean $remote_addr?"),
            ("consumername", "did you mean $consumer_name?"),
            ("upstream_response_time", "there are $remote_addr"),
            ("arg_", "there is no variable $arg_"),
            ("", "there is no variable $"),
            ("http_\u{e9}", "no valid header"),
        ] {
            let message = Variable::parse(name).unwrap_err();
            assert!(message.contains(why), "{name}: {message}");
        }
    }

    #[test]
    fn buffers_do_not_meet() {
        let outer = with_buffer(|outer| {
            outer.push('a');
            with_buffer(|inner| assert!(inner.is_empty()));
            outer.clone()
        });
        assert_eq!(outer, "a");
    }
}
