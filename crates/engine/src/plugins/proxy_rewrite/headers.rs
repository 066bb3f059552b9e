//! The changes to headers: as users write them, checked, and applied to a request.

use crate::exchange::Exchange;
use crate::http::headers::is_of_connection;
use crate::variable::{Part, Template, with_buffer};
use ::http::{HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;

/// Changes to headers: either `{"set": {...}, "add": {...}, "remove": [...]}`, or a map of headers to set.
#[derive(JsonSchema)]
#[serde(untagged)]
pub enum Headers {
    Operations(Operations),
    Set(BTreeMap<String, Text>),
}

/// Changes to headers by kind, made in the order add, remove, set.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Operations {
    /// Headers to put in place of those of the same name.
    set: BTreeMap<String, Text>,
    /// Headers to send beside those of the same name.
    add: BTreeMap<String, Text>,
    /// Names of headers that the upstream does not get.
    remove: Vec<String>,
}

/// A header's value: text with variables such as `$remote_addr`, or a number.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Text {
    Text(String),
    Number(serde_json::Number),
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let members = serde_json::Map::deserialize(deserializer)?;
        let has_operations = members.values().any(|value| value.is_object() || value.is_array());
        let value = serde_json::Value::Object(members);
        if has_operations {
            return Operations::deserialize(value).map(Headers::Operations).map_err(|error| named(&error));
        }
        BTreeMap::deserialize(value).map(Headers::Set).map_err(|error| named(&error))
    }
}

fn named<E: Error>(error: &serde_json::Error) -> E {
    E::custom(format!("headers: {error}"))
}

/// The changes, ready to be made.
#[derive(Default)]
pub struct HeaderChanges {
    add: Vec<(HeaderName, Value)>,
    remove: Vec<HeaderName>,
    set: Vec<(HeaderName, Value)>,
}

enum Value {
    Fixed(HeaderValue),
    Template(Template),
}

/// The values of the templates for one exchange, in the order add, set.
pub struct Resolved {
    add: Vec<Option<HeaderValue>>,
    set: Vec<Option<HeaderValue>>,
}

impl HeaderChanges {
    /// Checks names and values. `groups` is how many groups `regex_uri` has to offer.
    pub fn build(headers: &Headers, groups: usize) -> Result<Self, String> {
        let checked = |members: &BTreeMap<String, Text>| {
            let members = members
                .iter()
                .map(|(name, text)| Ok((header_name(name)?, Value::parse(name, text, groups)?)));
            members.collect::<Result<Vec<_>, String>>()
        };
        match headers {
            Headers::Set(members) => Ok(Self { set: checked(members)?, ..Self::default() }),
            Headers::Operations(operations) => Ok(Self {
                add: checked(&operations.add)?,
                remove: operations.remove.iter().map(|name| header_name(name)).collect::<Result<_, _>>()?,
                set: checked(&operations.set)?,
            }),
        }
    }

    /// The values for `exchange`, before anything of it is changed.
    pub fn resolve(&self, exchange: &Exchange, groups: &[String]) -> Resolved {
        let resolve = |changes: &[(HeaderName, Value)]| {
            changes.iter().map(|(_, value)| value.resolve(exchange, groups)).collect()
        };
        Resolved { add: resolve(&self.add), set: resolve(&self.set) }
    }

    /// Makes the changes. A header to be set whose value cannot stand in a header is taken out, so that the client's
    /// own of that name does not pass for it.
    pub fn apply(&self, resolved: Resolved, exchange: &mut Exchange) {
        // What a client sent there stays with the gateway; what is set here goes to the upstream.
        let withheld = std::mem::take(&mut exchange.withheld);
        let headers = &mut exchange.request.headers;
        let is_set = |name: &HeaderName| self.set.iter().chain(&self.add).any(|(set, _)| set == name);
        for name in withheld {
            if is_set(&name) {
                headers.remove(&name);
            } else {
                exchange.withheld.push(name);
            }
        }
        for ((name, _), value) in self.add.iter().zip(resolved.add) {
            if let Some(value) = value {
                headers.append(name, value);
            }
        }
        for name in &self.remove {
            headers.remove(name);
        }
        for ((name, _), value) in self.set.iter().zip(resolved.set) {
            match value {
                Some(value) => _ = headers.insert(name, value),
                None => _ = headers.remove(name),
            }
        }
    }
}

impl Value {
    fn parse(name: &str, text: &Text, groups: usize) -> Result<Self, String> {
        let text = match text {
            Text::Text(text) => text.clone(),
            Text::Number(number) => number.to_string(),
        };
        let fixed = HeaderValue::from_str(&text)
            .map_err(|_| format!("headers: the value of {name:?} has characters that no header may have"))?;
        let template = Template::parse(&text).map_err(|why| format!("headers: in {name:?}, {why}"))?;
        if let Some(group) = template.largest_group().filter(|group| *group > groups) {
            return Err(format!(
                "headers: in {name:?}, ${group} stands for a group that regex_uri does not have"
            ));
        }
        Ok(match template.parts() {
            [] => Value::Fixed(fixed),
            [Part::Text(text)] => Value::Fixed(HeaderValue::from_str(text).unwrap_or(fixed)),
            _ => Value::Template(template),
        })
    }

    fn resolve(&self, exchange: &Exchange, groups: &[String]) -> Option<HeaderValue> {
        match self {
            Value::Fixed(value) => Some(value.clone()),
            Value::Template(template) => with_buffer(|buffer| {
                template.write(exchange, |number| groups.get(number).map(String::as_str), buffer);
                HeaderValue::from_str(buffer).ok()
            }),
        }
    }
}

fn header_name(name: &str) -> Result<HeaderName, String> {
    let parsed: HeaderName =
        name.parse().map_err(|_| format!("headers: {name:?} is not a valid header name"))?;
    if parsed == ::http::header::HOST {
        return Err("headers: Host cannot be changed here; use `host`".into());
    }
    match is_of_connection(&parsed) {
        true => Err(format!("headers: {name:?} belongs to the connection and cannot be changed")),
        false => Ok(parsed),
    }
}
