//! A tool's schemas, compiled once: whether arguments are as the tool takes them, and if not, what is wrong in words
//! that a model can act on; whether an answer is as the tool says. Patterns run on a linear engine, references never
//! leave the schema, and every run has a meter, so no value can cost more than a fixed number of steps.

use crate::near::near;
use crate::schema::{self, CHECKING, EXPLAINING, Meter, Metered, Part, cut, shortened, shown, with_article};
use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{ValidationError, Validator};
use serde_json::{Map, Value};

/// At most this many complaints: a model mends a few at a time, and the rest often follow from the first.
const MOST: usize = 10;

/// Characters of a complaint.
const LONGEST: usize = 1000;

const TOO_LARGE: &str =
    "The arguments are too large, or nested too deeply, to be checked: send less at a time.";

const TOO_DEEP: &str = "The arguments do not fit the tool's schema, in a place that is nested too deeply for each \
    mistake to be told: try a simple form first, and build it up step by step.";

pub struct InputSchema {
    validator: Validator<Metered>,
    /// Of the root's properties: name, and what it takes as its schema says in short.
    properties: Vec<(String, String)>,
}

/// What a tool says of its results.
pub struct OutputSchema(Validator<Metered>);

impl OutputSchema {
    /// Compiles `schema`; an error says why it cannot be.
    pub fn build(schema: &Value) -> Result<Self, String> {
        compile(schema).map(Self)
    }

    /// Whether `value` is as the schema says; one that is too large to be checked is not.
    pub fn fits(&self, value: &Value) -> bool {
        let meter = Meter::new(CHECKING);
        self.0.is_valid(Part::new(value, &meter)) && !meter.is_spent()
    }
}

fn compile(schema: &Value) -> Result<Validator<Metered>, String> {
    if schema.get("type").and_then(Value::as_str) != Some("object") {
        return Err("the root must have the type object".into());
    }
    schema::compile(schema)
}

impl InputSchema {
    /// Compiles `schema`. `arguments` are all that have a place in the request; an error says why it cannot be.
    pub fn build(schema: &Value, arguments: &[&str]) -> Result<Self, String> {
        let validator = compile(schema)?;
        let of = |name: &&str| {
            let property = schema.get("properties").and_then(|properties| properties.get(name));
            ((*name).to_owned(), property.map(summary).unwrap_or_default())
        };
        Ok(Self { validator, properties: arguments.iter().map(of).collect() })
    }

    /// What is wrong with `arguments`, each as a sentence; empty: nothing.
    pub fn complaints(&self, arguments: &Value) -> Vec<String> {
        self.complaints_within(arguments, &Meter::new(CHECKING), &Meter::new(EXPLAINING))
    }

    fn complaints_within(&self, arguments: &Value, checking: &Meter, explaining: &Meter) -> Vec<String> {
        let known = |name: &String| self.properties.iter().any(|(property, _)| property == name);
        let names = arguments.as_object().into_iter().flat_map(Map::keys);
        let unknown = names.filter(|name| !known(name)).take(MOST);
        let mut complaints: Vec<_> = unknown.map(|name| self.unknown(name)).collect();
        if complaints.len() >= MOST {
            return complaints;
        }
        let is_valid = self.validator.is_valid(Part::new(arguments, checking));
        if checking.is_spent() {
            complaints.push(TOO_LARGE.into());
        } else if !is_valid {
            self.explain(arguments, explaining, &mut complaints);
        }
        complaints
    }

    /// Adds what does not fit. Explaining takes all branches of all forms, where knowing takes only the first that fits.
    fn explain(&self, arguments: &Value, meter: &Meter, complaints: &mut Vec<String>) {
        let errors = self.validator.iter_errors(Part::new(arguments, meter));
        if meter.is_spent() {
            complaints.push(TOO_DEEP.into());
            return;
        }
        for error in errors {
            // Unknown arguments are told before, whether the schema is closed or not.
            let of_the_root = error.instance_path().as_str().is_empty();
            if of_the_root && matches!(error.kind(), ValidationErrorKind::AdditionalProperties { .. }) {
                continue;
            }
            if complaints.len() >= MOST {
                return;
            }
            complaints.push(cut(&self.complaint(&error, true), LONGEST));
        }
    }

    fn unknown(&self, name: &str) -> String {
        let names = self.properties.iter().map(|(property, _)| property.as_str());
        let shown = shortened(name);
        match (near(name, names.clone()), self.properties.is_empty()) {
            (Some(near), _) => format!("There is no argument `{shown}`; did you mean `{near}`?"),
            (None, true) => format!("There is no argument `{shown}`: this tool takes none."),
            (None, false) => {
                let all = names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
                format!("There is no argument `{shown}`. The arguments are {}.", shortened(&all))
            }
        }
    }

    /// `with_forms`: what each of several forms wants is told, but not the forms within those.
    fn complaint(&self, error: &ValidationError<'_>, with_forms: bool) -> String {
        let at = shortened(&place(error.instance_path().as_str()));
        let value = shown(error.instance());
        match error.kind() {
            ValidationErrorKind::Required { property } => {
                let name = property.as_str().unwrap_or_default();
                match (at.is_empty(), self.properties.iter().find(|(known, _)| known == name)) {
                    (true, Some((_, summary))) if !summary.is_empty() => {
                        format!("`{name}` is required and missing: {summary}.")
                    }
                    (true, _) => format!("`{name}` is required and missing."),
                    (false, _) => format!("`{at}.{name}` is required and missing."),
                }
            }
            ValidationErrorKind::Type { kind } => {
                let wanted = match kind {
                    TypeKind::Single(one) => with_article(one.as_str()),
                    TypeKind::Multiple(several) => {
                        several.iter().map(|one| with_article(one.as_str())).collect::<Vec<_>>().join(" or ")
                    }
                };
                format!("`{at}` must be {wanted}, and is {value}.")
            }
            ValidationErrorKind::Enum { options } => {
                let all = options.as_array().into_iter().flatten().map(Value::to_string);
                let all: Vec<_> = all.collect();
                let texts = options.as_array().into_iter().flatten().filter_map(Value::as_str);
                let meant = error.instance().as_str().and_then(|text| near(text, texts));
                let meant =
                    meant.map(|meant| format!("; did you mean {meant:?}?")).unwrap_or_else(|| ".".into());
                format!("`{at}` must be one of {}, and is {value}{meant}", shortened(&all.join(", ")))
            }
            ValidationErrorKind::AdditionalProperties { unexpected }
            | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
                format!("`{at}` must not have {}.", shortened(&unexpected.join(", ")))
            }
            ValidationErrorKind::AnyOf { .. } | ValidationErrorKind::OneOfNotValid { .. } if !with_forms => {
                format!("`{at}` fits none of the forms that it may have.")
            }
            ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
                let branches = context.iter().filter_map(|branch| branch.first());
                let branches = branches.take(4).map(|error| self.complaint(error, false));
                let branches = branches.collect::<Vec<_>>().join(" Or: ");
                format!("`{at}` fits none of the forms that it may have. {branches}")
            }
            _ => {
                let why = shown(&error.masked_with("it"));
                format!("`{at}` is {value}, but {}.", why.trim_end_matches('.'))
            }
        }
    }
}

/// `/filter/tags/0` as `filter.tags[0]`.
fn place(pointer: &str) -> String {
    let mut place = String::new();
    for token in pointer.split('/').skip(1) {
        let token = token.replace("~1", "/").replace("~0", "~");
        match token.parse::<usize>() {
            Ok(index) if !place.is_empty() => place.push_str(&format!("[{index}]")),
            _ if place.is_empty() => place = token,
            _ => place.push_str(&format!(".{token}")),
        }
    }
    if place.is_empty() {
        "arguments".clone_into(&mut place)
    }
    if pointer.is_empty() { String::new() } else { place }
}

/// `integer, The speaker's id`: type and description of a property.
fn summary(schema: &Value) -> String {
    let text = |keyword: &str| schema.get(keyword).and_then(Value::as_str).map(str::trim).unwrap_or_default();
    let both = [text("type"), text("description").trim_end_matches('.')];
    let both: Vec<_> = both.into_iter().filter(|part| !part.is_empty()).collect();
    shortened(&both.join(", "))
}

#[cfg(test)]
mod tests;
