//! Variables of an exchange and templates made of them, as `$remote_addr` or `$http_x_tenant $uri`.
//!
//! Names are nginx's and APISIX's. A template is parsed once, when its plugin is built, and unknown names are refused
//! there; writing it out only appends to a buffer. Values are as the exchange sees them: the path is normalised and
//! stays percent-encoded, query arguments are decoded, so that two spellings of one value count as one.

use crate::exchange::Exchange;
use crate::near::near;
use ::http::{HeaderName, header};
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
        if let Some(header) = parameter("http_") {
            let header = header.replace('_', "-").parse();
            return header.map(Variable::Header).map_err(|_| format!("${name} names no valid header"));
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

    /// Appends the value in `exchange`. Whether it has one that is not empty.
    pub fn write(&self, exchange: &Exchange, buffer: &mut String) -> bool {
        let before = buffer.len();
        match self {
            Variable::RemoteAddress => _ = write!(buffer, "{}", exchange.arrival.client.ip().to_canonical()),
            Variable::Uri => buffer.push_str(&exchange.path),
            Variable::RequestUri => {
                buffer.push_str(exchange.request.uri.path_and_query().map_or("/", |uri| uri.as_str()));
            }
            Variable::Host => {
                buffer.extend(exchange.host().chars().map(|letter| letter.to_ascii_lowercase()))
            }
            Variable::Method => buffer.push_str(exchange.request.method.as_str()),
            Variable::Scheme => buffer.push_str(exchange.arrival.scheme),
            Variable::ConsumerName => {
                buffer
                    .push_str(exchange.identity.as_ref().map_or("", |identity| &identity.consumer.username));
            }
            Variable::ConsumerGroup => {
                let consumer = exchange.identity.as_ref().map(|identity| &identity.consumer);
                buffer.push_str(consumer.and_then(|consumer| consumer.group.as_deref()).unwrap_or_default());
            }
            Variable::Route => buffer.push_str(exchange.route.as_ref().map_or("", |route| &route.id)),
            Variable::Service => buffer.push_str(exchange.route.as_ref().map_or("", |route| &route.service)),
            Variable::Argument(name) => {
                write_argument(exchange.request.uri.query().unwrap_or_default(), name, buffer)
            }
            Variable::Header(name) => {
                if let Some(value) = exchange.request.headers.get(name) {
                    buffer.push_str(&String::from_utf8_lossy(value.as_bytes()));
                }
            }
            Variable::Cookie(name) => write_cookie(exchange, name, buffer),
        }
        buffer.len() > before
    }

    /// Whether the value is already in the form that a URI needs.
    pub fn is_encoded(&self) -> bool {
        matches!(self, Variable::Uri | Variable::RequestUri)
    }
}

fn write_argument(query: &str, wanted: &str, buffer: &mut String) {
    if let Some((_, value)) = arguments(query).find(|(name, _)| decodes_to(name, wanted)) {
        buffer.push_str(&decoded(value));
    }
}

fn write_cookie(exchange: &Exchange, wanted: &str, buffer: &mut String) {
    let headers = exchange.request.headers.get_all(header::COOKIE).iter();
    let pairs = headers.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
    let mut pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
    if let Some((_, value)) = pairs.find(|(name, _)| *name == wanted) {
        buffer.push_str(value);
    }
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

/// Text with variables in it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Template {
    parts: Vec<Part>,
}

/// A piece of a template.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Part {
    Text(Box<str>),
    Variable(Variable),
    /// What the group of this number of a regex has matched.
    Group(usize),
}

impl Template {
    /// Parses `$name`, `${name}`, `$1` and `\$` (a dollar sign). A dollar sign before anything else is text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            let (before, from) = rest.split_at(at);
            let after = from.get(1..).unwrap_or_default();
            if let Some(before) = before.strip_suffix('\\') {
                literal.push_str(before);
                literal.push('$');
                rest = after;
                continue;
            }
            literal.push_str(before);
            let Some((name, after)) = take_name(after) else {
                literal.push('$');
                rest = after;
                continue;
            };
            if !literal.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut literal).into()));
            }
            parts.push(match name.parse() {
                Ok(group) => Part::Group(group),
                Err(_) => Part::Variable(Variable::parse(name)?),
            });
            rest = after;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Text(literal.into()));
        }
        Ok(Self { parts })
    }

    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The same template with its texts, as they were written, passed through `change`.
    pub fn map_text(self, change: impl Fn(&str) -> String) -> Self {
        let parts = self.parts.into_iter().map(|part| match part {
            Part::Text(text) => Part::Text(change(&text).into()),
            other => other,
        });
        Self { parts: parts.collect() }
    }

    /// The largest number of a group.
    pub fn largest_group(&self) -> Option<usize> {
        let groups = self.parts.iter().filter_map(|part| match part {
            Part::Group(number) => Some(*number),
            _ => None,
        });
        groups.max()
    }

    /// Appends the template's text for `exchange`; groups come from `groups`. Whether any variable had a value.
    pub fn write<'a>(
        &self,
        exchange: &Exchange,
        groups: impl Fn(usize) -> Option<&'a str>,
        buffer: &mut String,
    ) -> bool {
        let mut resolved = false;
        for part in &self.parts {
            match part {
                Part::Text(text) => buffer.push_str(text),
                Part::Variable(variable) => resolved |= variable.write(exchange, buffer),
                Part::Group(number) => buffer.push_str(groups(*number).unwrap_or_default()),
            }
        }
        resolved
    }
}

fn take_name(text: &str) -> Option<(&str, &str)> {
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    if let Some(braced) = text.strip_prefix('{') {
        let (name, rest) = braced.split_once('}')?;
        return (!name.is_empty() && name.chars().all(is_word)).then_some((name, rest));
    }
    // A group's number ends with its digits, so that `$1st` is group 1 and `st`.
    let is_number = text.starts_with(|letter: char| letter.is_ascii_digit());
    let end = match is_number {
        true => text.find(|letter: char| !letter.is_ascii_digit()),
        false => text.find(|letter| !is_word(letter)),
    };
    let (name, rest) = text.split_at(end.unwrap_or(text.len()));
    (!name.is_empty()).then_some((name, rest))
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

    fn text(template: &str) -> Result<String, String> {
        let bench = Bench::new(json!({}));
        let exchange = bench.exchange(get("/p?x=1"));
        let mut text = String::new();
        let groups = ["0", "one", "two"];
        Template::parse(template)?.write(&exchange, |group| groups.get(group).copied(), &mut text);
        Ok(text)
    }

    #[test]
    fn a_template_mixes_text_variables_and_groups() {
        for (template, expected) in [
            ("", ""),
            ("text", "text"),
            ("$uri", "/p"),
            ("a${uri}b$arg_x-$method", "a/pb1-GET"),
            ("$1$2st${1}$3", "onetwostone"),
            ("100$ $. ${ ${} ${a b}", "100$ $. ${ ${} ${a b}"),
            ("\\$uri \\$$uri", "$uri $/p"),
            ("caf\u{e9}$uri", "caf\u{e9}/p"),
        ] {
            assert_eq!(text(template).as_deref(), Ok(expected), "{template}");
        }
        assert!(text("$nothing").unwrap_err().contains("there is no variable $nothing"));
    }

    #[test]
    fn a_template_tells_whether_any_variable_has_a_value() {
        let bench = Bench::new(json!({}));
        let exchange = bench.exchange(get("/?x=1"));
        let resolves = |text| Template::parse(text).unwrap().write(&exchange, |_| None, &mut String::new());
        assert!(resolves("$arg_none $arg_x"));
        assert!(!resolves("text $arg_none"));
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
