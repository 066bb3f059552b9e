//! What is wrong with a value, in the words of APISIX: `property "age" validation failed: wrong type: expected integer,
//! got string`.

use crate::schema::{shortened, shown};
use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use serde_json::Value;

/// The error in words, from the outermost property inwards.
pub fn words(error: &ValidationError<'_>) -> String {
    let mut text = String::new();
    for token in error.instance_path().as_str().split('/').skip(1) {
        let name = token.replace("~1", "/").replace("~0", "~");
        match name.parse::<usize>() {
            Ok(index) => text.push_str(&format!("failed to validate item {}: ", index.saturating_add(1))),
            Err(_) => text.push_str(&format!("property {:?} validation failed: ", shortened(&name))),
        }
    }
    text.push_str(&own(error));
    text
}

fn own(error: &ValidationError<'_>) -> String {
    let value = || shown(error.instance());
    let text = || shortened(error.instance().as_str().unwrap_or_default());
    let length = || error.instance().as_str().map_or(0, |text| text.chars().count());
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            format!("property {:?} is required", shortened(property.as_str().unwrap_or_default()))
        }
        ValidationErrorKind::Type { kind } => {
            let expected = match kind {
                TypeKind::Single(one) => one.as_str().to_owned(),
                TypeKind::Multiple(several) => {
                    format!(
                        "one of: {}",
                        several.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(", ")
                    )
                }
            };
            format!("wrong type: expected {expected}, got {}", type_of(error.instance()))
        }
        ValidationErrorKind::Enum { .. } => "matches none of the enum values".to_owned(),
        ValidationErrorKind::Constant { .. } => "failed to match const value".to_owned(),
        ValidationErrorKind::MinLength { limit } => {
            format!("string too short, expected at least {limit}, got {}", length())
        }
        ValidationErrorKind::MaxLength { limit } => {
            format!("string too long, expected at most {limit}, got {}", length())
        }
        ValidationErrorKind::Pattern { pattern } => {
            format!("failed to match pattern {:?} with {:?}", shortened(pattern), text())
        }
        ValidationErrorKind::Minimum { limit } => format!("expected {} to be at least {limit}", value()),
        ValidationErrorKind::Maximum { limit } => format!("expected {} to be at most {limit}", value()),
        ValidationErrorKind::ExclusiveMinimum { limit } => {
            format!("expected {} to be greater than {limit}", value())
        }
        ValidationErrorKind::ExclusiveMaximum { limit } => {
            format!("expected {} to be smaller than {limit}", value())
        }
        ValidationErrorKind::MultipleOf { multiple_of } => {
            format!("expected {} to be a multiple of {multiple_of}", value())
        }
        ValidationErrorKind::MinItems { limit } => format!("expect array to have at least {limit} items"),
        ValidationErrorKind::MaxItems { limit } => format!("expect array to have at most {limit} items"),
        ValidationErrorKind::MinProperties { limit } => {
            format!("expect object to have at least {limit} properties")
        }
        ValidationErrorKind::MaxProperties { limit } => {
            format!("expect object to have at most {limit} properties")
        }
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let name = unexpected.first().map(String::as_str).unwrap_or_default();
            format!("additional properties forbidden, found {}", shortened(name))
        }
        ValidationErrorKind::UniqueItems => "expected unique items".to_owned(),
        ValidationErrorKind::AnyOf { .. } => "object matches none of the required".to_owned(),
        ValidationErrorKind::OneOfNotValid { .. } => {
            "value should match only one schema, but matches none".to_owned()
        }
        ValidationErrorKind::OneOfMultipleValid { .. } => {
            "value should match only one schema, but matches several".to_owned()
        }
        _ => shown(&error.masked_with("the value")),
    }
}

const fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
