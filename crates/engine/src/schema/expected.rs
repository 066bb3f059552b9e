//! What a schema asks for, in words: `an integer between 1 and 100`, `one of "asc", "desc"`, `a list of 1 to 5 items`.

use super::{shortened, with_article};
use serde_json::Value;

/// References and branches that are followed from the schema on.
const DEEPEST: usize = 8;

/// Branches of a choice that are told.
const BRANCHES: usize = 4;

/// Where the schemas are that references `#/$defs/NAME` name.
pub trait Definitions {
    /// The schema of this name.
    fn definition(&self, name: &str) -> Option<Value>;
}

/// Puts schemas into words.
pub struct Expected<'a, D>(pub &'a D);

impl<D: Definitions> Expected<'_, D> {
    /// What `schema` asks for; none where it says nothing of itself.
    pub fn words(&self, schema: &Value) -> Option<String> {
        self.within(schema, DEEPEST).map(|words| shortened(&words))
    }

    /// Whether the value is a secret that nobody should be shown again.
    pub fn is_secret(&self, schema: &Value) -> bool {
        let mut schema = schema.clone();
        for _ in 0..DEEPEST {
            if schema.get("format").and_then(Value::as_str) == Some("password") {
                return true;
            }
            match self.target(&schema) {
                Some(target) => schema = target,
                None => return false,
            }
        }
        false
    }

    fn target(&self, schema: &Value) -> Option<Value> {
        let name = schema.get("$ref")?.as_str()?.strip_prefix("#/$defs/")?;
        self.0.definition(name)
    }

    fn within(&self, schema: &Value, depth: usize) -> Option<String> {
        let depth = depth.checked_sub(1)?;
        if let Some(choices) = schema.get("enum").and_then(Value::as_array) {
            let all: Vec<_> = choices.iter().map(Value::to_string).collect();
            return Some(if all.len() == 1 { all.concat() } else { format!("one of {}", all.join(", ")) });
        }
        if let Some(value) = schema.get("const") {
            return Some(value.to_string());
        }
        let types: Vec<&str> = match schema.get("type") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        if !types.is_empty() {
            let all: Vec<_> = types.into_iter().map(|name| of_type(name, schema)).collect();
            return Some(all.join(" or "));
        }
        if let Some(target) = self.target(schema) {
            return self.within(&target, depth);
        }
        for keyword in ["anyOf", "oneOf"] {
            if let Some(branches) = schema.get(keyword).and_then(Value::as_array) {
                let mut all: Vec<String> = Vec::new();
                for words in branches.iter().take(BRANCHES).filter_map(|branch| self.within(branch, depth)) {
                    if !all.contains(&words) {
                        all.push(words);
                    }
                }
                return (!all.is_empty()).then(|| all.join(" or "));
            }
        }
        let parts = schema.get("allOf").and_then(Value::as_array).into_iter().flatten();
        let said = parts.filter_map(|part| self.within(part, depth)).next();
        said.or_else(|| untyped(schema))
    }
}

/// Keywords say of which type of value they speak.
fn untyped(schema: &Value) -> Option<String> {
    let has = |keywords: &[&str]| keywords.iter().any(|keyword| schema.get(keyword).is_some());
    if has(&["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"]) {
        return Some(of_type("number", schema));
    }
    if has(&["minLength", "maxLength", "pattern"]) {
        return Some(of_type("string", schema));
    }
    if has(&["minItems", "maxItems", "uniqueItems"]) {
        return Some(of_type("array", schema));
    }
    None
}

fn of_type(name: &str, schema: &Value) -> String {
    let number = |keyword: &str| schema.get(keyword).filter(|value| value.is_number()).map(Value::to_string);
    match name {
        "integer" | "number" => {
            let mut words = with_article(name);
            words.push_str(&range(&number));
            if let Some(factor) = number("multipleOf") {
                words.push_str(&format!(" that {factor} divides"));
            }
            words
        }
        "string" => {
            let format = schema.get("format").and_then(Value::as_str);
            let mut words = match format {
                Some("date") => "a date such as 2026-09-05".to_owned(),
                Some("date-time") => "a time such as 2026-09-05T14:30:00Z".to_owned(),
                Some("uuid") => "a UUID".to_owned(),
                _ => "a text".to_owned(),
            };
            words.push_str(&count("characters", number("minLength"), number("maxLength")));
            if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
                words.push_str(&format!(" that matches {pattern}"));
            }
            words
        }
        "array" => {
            let mut words = "a list".to_owned();
            words.push_str(&count("items", number("minItems"), number("maxItems")));
            if schema.get("uniqueItems") == Some(&Value::Bool(true)) {
                words.push_str(" without doubles");
            }
            words
        }
        "boolean" => "true or false".to_owned(),
        other => with_article(other),
    }
}

fn range(number: &dyn Fn(&str) -> Option<String>) -> String {
    let (minimum, maximum) = (number("minimum"), number("maximum"));
    if let (Some(minimum), Some(maximum)) = (&minimum, &maximum) {
        return format!(" between {minimum} and {maximum}");
    }
    let limits = [
        minimum.map(|limit| format!("of at least {limit}")),
        number("exclusiveMinimum").map(|limit| format!("above {limit}")),
        maximum.map(|limit| format!("of at most {limit}")),
        number("exclusiveMaximum").map(|limit| format!("below {limit}")),
    ];
    let limits: Vec<_> = limits.into_iter().flatten().collect();
    if limits.is_empty() { String::new() } else { format!(" {}", limits.join(" and ")) }
}

fn count(what: &str, least: Option<String>, most: Option<String>) -> String {
    match (least.filter(|least| least != "0"), most) {
        (Some(least), Some(most)) if least == most => format!(" of {least} {what}"),
        (Some(least), Some(most)) => format!(" of {least} to {most} {what}"),
        (Some(least), None) => format!(" of at least {least} {what}"),
        (None, Some(most)) => format!(" of at most {most} {what}"),
        (None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    struct Shared;

    impl Definitions for Shared {
        fn definition(&self, name: &str) -> Option<Value> {
            match name {
                "Size" => Some(json!({"type": "integer", "minimum": 1, "maximum": 9})),
                "Loop" => Some(json!({"$ref": "#/$defs/Loop"})),
                _ => None,
            }
        }
    }

    fn words(schema: Value) -> Option<String> {
        Expected(&Shared).words(&schema)
    }

    #[test]
    fn a_schema_is_told_in_words() {
        for (schema, expected) in [
            (json!({"type": "integer"}), "an integer"),
            (json!({"type": "integer", "minimum": 1, "maximum": 100}), "an integer between 1 and 100"),
            (json!({"type": "number", "exclusiveMinimum": 0}), "a number above 0"),
            (json!({"minimum": 0.5, "exclusiveMaximum": 2}), "a number of at least 0.5 and below 2"),
            (json!({"type": "integer", "multipleOf": 5}), "an integer that 5 divides"),
            (json!({"type": "boolean"}), "true or false"),
            (json!({"type": "string", "minLength": 1, "maxLength": 20}), "a text of 1 to 20 characters"),
            (json!({"type": "string", "minLength": 2, "maxLength": 2}), "a text of 2 characters"),
            (json!({"type": "string", "pattern": "^a+$"}), "a text that matches ^a+$"),
            (json!({"type": "string", "format": "uuid"}), "a UUID"),
            (
                json!({"type": "array", "maxItems": 5, "uniqueItems": true}),
                "a list of at most 5 items without doubles",
            ),
            (json!({"type": ["string", "null"]}), "a text or null"),
            (json!({"type": "string", "enum": ["asc", "desc"]}), r#"one of "asc", "desc""#),
            (json!({"const": 3}), "3"),
            (json!({"$ref": "#/$defs/Size"}), "an integer between 1 and 9"),
            (
                json!({"anyOf": [{"type": "null"}, {"$ref": "#/$defs/Size"}]}),
                "null or an integer between 1 and 9",
            ),
            (json!({"allOf": [{"description": "x"}, {"type": "object"}]}), "an object"),
        ] {
            assert_eq!(words(schema.clone()).as_deref(), Some(expected), "{schema}");
        }
    }

    #[test]
    fn what_says_nothing_or_only_itself_has_no_words() {
        for schema in
            [json!({}), json!(true), json!({"$ref": "#/$defs/Loop"}), json!({"$ref": "#/$defs/None"})]
        {
            assert_eq!(words(schema), None);
        }
    }
}
