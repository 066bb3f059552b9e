//! JSON as a validator sees it, with a meter: each look at a value costs a step, and once a run's steps are spent every
//! value looks like null, so that the run ends soon whatever the schema asks for. Its verdict is then worth nothing.
//! Schemas that refer to themselves from several branches cost time by the power of the depth, not by the size.

use jsonschema::JsonType;
use jsonschema::json::{Array, Json, Node, NodeIdentity, Object};
use serde_json::{Map, Number, Value};
use std::borrow::Cow;
use std::cell::Cell;

/// Characters of a text that cost one step.
const TEXT: usize = 64;

static NULL: Value = Value::Null;

/// The steps of one run of a validator.
pub struct Meter {
    limit: usize,
    made: Cell<usize>,
}

impl Meter {
    pub const fn new(limit: usize) -> Self {
        Self { limit, made: Cell::new(0) }
    }

    /// Whether the run was cut short.
    pub fn is_spent(&self) -> bool {
        self.made.get() > self.limit
    }

    /// Steps made, those after the last that counted among them.
    #[cfg(test)]
    pub fn made(&self) -> usize {
        self.made.get()
    }

    fn spend(&self, steps: usize) -> bool {
        self.made.set(self.made.get().saturating_add(steps));
        !self.is_spent()
    }
}

impl Default for Meter {
    fn default() -> Self {
        Self::new(usize::MAX)
    }
}

/// The representation, by which validators are built.
pub struct Metered;

/// A value and the meter of the run that looks at it.
#[derive(Clone, Copy)]
pub struct Part<'a> {
    value: &'a Value,
    meter: &'a Meter,
}

impl<'a> Part<'a> {
    pub const fn new(value: &'a Value, meter: &'a Meter) -> Self {
        Self { value, meter }
    }

    fn look(&self) -> &'a Value {
        let steps = match self.value {
            Value::String(text) => 1 + text.len() / TEXT,
            _ => 1,
        };
        if self.meter.spend(steps) { self.value } else { &NULL }
    }
}

/// A property's name while it is looked at as a value. Names hold nothing, so they are not metered.
#[derive(Default)]
pub struct Name {
    value: Value,
    meter: Meter,
}

impl Json for Metered {
    type Node<'a> = Part<'a>;
    type PreparedKey = String;
    type StringBuffer = Name;

    fn prepare_key(key: &str) -> String {
        key.to_owned()
    }

    fn with_string_node<T>(buffer: &mut Name, string: &str, f: impl FnOnce(Part<'_>) -> T) -> T {
        buffer.value = Value::from(string);
        f(Part::new(&buffer.value, &buffer.meter))
    }
}

impl<'a> Node<'a, Metered> for Part<'a> {
    type Object = Members<'a>;
    type Array = Items<'a>;
    type Number = &'a Number;

    fn as_object(&self) -> Option<Members<'a>> {
        self.look().as_object().map(|members| Members { members, meter: self.meter })
    }

    fn as_array(&self) -> Option<Items<'a>> {
        self.look().as_array().map(|items| Items { items, meter: self.meter })
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        self.look().as_str().map(Cow::Borrowed)
    }

    fn as_number(&self) -> Option<&'a Number> {
        self.look().as_number()
    }

    fn as_boolean(&self) -> Option<bool> {
        self.look().as_bool()
    }

    fn is_null(&self) -> bool {
        self.look().is_null()
    }

    fn json_type(&self) -> JsonType {
        match self.look() {
            Value::Null => JsonType::Null,
            Value::Bool(_) => JsonType::Boolean,
            Value::Number(_) => JsonType::Number,
            Value::String(_) => JsonType::String,
            Value::Array(_) => JsonType::Array,
            Value::Object(_) => JsonType::Object,
        }
    }

    fn to_value(&self) -> Cow<'a, Value> {
        Cow::Borrowed(self.value)
    }

    fn identity(&self) -> Option<NodeIdentity> {
        Some(NodeIdentity::new(std::ptr::from_ref(self.value).addr()))
    }
}

/// An object, whose members cost a step each.
pub struct Members<'a> {
    members: &'a Map<String, Value>,
    meter: &'a Meter,
}

impl<'a> Object<'a, Metered> for Members<'a> {
    type Node = Part<'a>;
    type MemberName = &'a str;
    type MembersIter = Metering<'a, serde_json::map::Iter<'a>>;

    fn len(&self) -> usize {
        self.members.len()
    }

    fn get(&self, key: &String) -> Option<Part<'a>> {
        let meter = self.meter;
        if !meter.spend(1) {
            return None;
        }
        self.members.get(key).map(|value| Part { value, meter })
    }

    fn members(&self) -> Self::MembersIter {
        Metering { inner: self.members.iter(), meter: self.meter }
    }
}

/// A list, whose items cost a step each.
pub struct Items<'a> {
    items: &'a [Value],
    meter: &'a Meter,
}

impl<'a> Array<'a, Metered> for Items<'a> {
    type Node = Part<'a>;
    type ElementsIter = Metering<'a, std::slice::Iter<'a, Value>>;

    fn len(&self) -> usize {
        self.items.len()
    }

    fn elements(&self) -> Self::ElementsIter {
        Metering { inner: self.items.iter(), meter: self.meter }
    }
}

/// Ends early when the steps are spent.
pub struct Metering<'a, I> {
    inner: I,
    meter: &'a Meter,
}

impl<'a> Iterator for Metering<'a, serde_json::map::Iter<'a>> {
    type Item = (&'a str, Part<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        if !self.meter.spend(1) {
            return None;
        }
        self.inner.next().map(|(name, value)| (name.as_str(), Part::new(value, self.meter)))
    }
}

impl<'a> Iterator for Metering<'a, std::slice::Iter<'a, Value>> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        if !self.meter.spend(1) {
            return None;
        }
        self.inner.next().map(|value| Part::new(value, self.meter))
    }
}
