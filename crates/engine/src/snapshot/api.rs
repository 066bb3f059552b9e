//! What requests to the operations of an api must be like, for the plugin `oas-validator`. Schemas are JSON Schema
//! 2020-12 whose references are `#/$defs/NAME`; they are kept as text until a request needs them.

use super::{Location, Style};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Api {
    pub id: String,
    /// The schemas that others refer to, by name.
    #[serde(default)]
    pub schemas: BTreeMap<String, Box<RawValue>>,
    /// By the operation's id; those that ask for nothing are left out.
    pub operations: BTreeMap<String, OperationShape>,
}

/// What a request to an operation must be like.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OperationShape {
    pub method: String,
    /// The path at the gateway, with `{name}` for each path parameter; set where one of them is checked.
    #[serde(default)]
    pub path: Option<String>,
    #[serde(default)]
    pub parameters: Vec<ParameterShape>,
    #[serde(default)]
    pub body: Option<BodyShape>,
}

/// A parameter, or a field of a form.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ParameterShape {
    /// None for a field of a form.
    #[serde(default, rename = "in")]
    pub location: Option<Location>,
    pub name: String,
    #[serde(default)]
    pub required: bool,
    pub style: Style,
    #[serde(default)]
    pub explode: bool,
    /// The value is JSON, whatever the style.
    #[serde(default)]
    pub json: bool,
    /// The empty text is a value whatever the schema says (`allowEmptyValue`).
    #[serde(default)]
    pub allow_empty: bool,
    /// Only whether it is there is looked at: a file of a form.
    #[serde(default)]
    pub file: bool,
    #[serde(default)]
    pub values: Values,
    /// None: any value is taken.
    #[serde(default)]
    pub schema: Option<Box<RawValue>>,
}

/// Of which types a value may be, so that its text can be read as one of them. Empty: text.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Values {
    pub types: Vec<ValueType>,
    /// Of a list's items.
    pub items: Vec<ValueType>,
    /// Of an object's members by name.
    pub properties: BTreeMap<String, Vec<ValueType>>,
    /// Of an object's other members.
    pub others: Vec<ValueType>,
}

/// A type of JSON Schema.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ValueType {
    Array,
    Boolean,
    Integer,
    Null,
    Number,
    Object,
    String,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BodyShape {
    #[serde(default)]
    pub required: bool,
    pub contents: Vec<ContentShape>,
}

/// A body in one media type.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ContentShape {
    /// In lower case and without parameters; may be a range such as `image/*`.
    pub media_type: String,
    pub check: ContentCheck,
}

/// What of a body is looked at.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ContentCheck {
    /// Its media type only.
    Any,
    /// It is JSON, of this schema.
    Json(Box<RawValue>),
    /// It is application/x-www-form-urlencoded or multipart/form-data with these fields.
    Fields(Fields),
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Fields {
    pub fields: Vec<ParameterShape>,
    /// Whether there may be no others.
    #[serde(default)]
    pub closed: bool,
}
