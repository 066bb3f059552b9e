//! Claims of a token: where they stand in it, how they are read, and which are wanted.

use crate::generation::values;
use crate::plugins::restriction::Texts;
use regex::Regex;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The most members on the way to a claim.
const DEEPEST: usize = 16;

/// The place of a claim.
pub struct Path {
    /// The name of a claim, which may have dots, as `https://example.com/roles` has.
    whole: Box<str>,
    /// Otherwise the names on the way to it.
    parts: Box<[Box<str>]>,
}

impl Path {
    pub fn new(setting: &str, text: &str) -> Result<Self, String> {
        let parts: Box<[Box<str>]> = text.split('.').map(Into::into).collect();
        if text.is_empty() || parts.len() > DEEPEST {
            return Err(format!(
                "{setting}: {text:?} is no claim; write it as \"roles\" or \"realm_access.roles\""
            ));
        }
        Ok(Self { whole: text.into(), parts })
    }

    pub fn find<'c>(&self, claims: &'c Map<String, Value>) -> Option<&'c Value> {
        if let Some(found) = claims.get(&*self.whole) {
            return Some(found);
        }
        let (first, rest) = self.parts.split_first()?;
        rest.iter().try_fold(claims.get(&**first)?, |value, name| value.get(&**name))
    }
}

/// Claims with values of which one must fit.
pub struct Claims(Box<[(Path, Texts)]>);

impl Claims {
    pub fn new(setting: &str, lists: BTreeMap<String, Vec<String>>) -> Result<Self, String> {
        if lists.is_empty() {
            return Err(format!("{setting}: must not be empty; leave it out instead"));
        }
        let one = |(name, values): (String, _)| {
            Ok((Path::new(setting, &name)?, Texts::new(&format!("{setting}.{name}"), values)?))
        };
        lists.into_iter().map(one).collect::<Result<_, String>>().map(Self)
    }

    pub fn fit(&self, claims: &Map<String, Value>) -> bool {
        self.0.iter().any(|(path, wanted)| path.find(claims).is_some_and(|claim| has(claim, wanted)))
    }
}

/// Whether a claim, or one of its items where it is a list, is among `wanted`.
fn has(claim: &Value, wanted: &Texts) -> bool {
    match claim {
        Value::String(text) => wanted.contain(text),
        Value::Bool(_) | Value::Number(_) => wanted.contain(&claim.to_string()),
        Value::Array(items) => items.iter().any(|item| !item.is_array() && has(item, wanted)),
        Value::Null | Value::Object(_) => false,
    }
}

/// How a claim is read that serves as a label.
pub enum Reading {
    AsItLooks,
    List,
    Json,
    Segmented(Regex),
}

impl Reading {
    pub fn segmented(separator: &str) -> Result<Self, regex::Error> {
        Regex::new(&format!(r"\s*(?:{separator})\s*")).map(Self::Segmented)
    }

    pub fn values<'c>(&self, claim: &'c Value) -> Vec<Cow<'c, str>> {
        match (self, claim) {
            (Self::AsItLooks | Self::List, Value::Array(items)) => {
                items.iter().filter_map(Value::as_str).map(Cow::from).collect()
            }
            (Self::AsItLooks, Value::String(text)) => values(text).into_iter().map(Cow::from).collect(),
            (Self::Json, Value::String(text)) => {
                let items: Vec<String> = serde_json::from_str(text).unwrap_or_default();
                items.into_iter().map(Cow::from).collect()
            }
            (Self::Segmented(separator), Value::String(text)) => {
                separator.split(text).map(Cow::from).collect()
            }
            _ => Vec::new(),
        }
    }
}
