//! A schema of an api, compiled when it is first needed, and what it finds wrong with a value.

use super::Schemas;
use super::mistake::{Mistake, Mistakes, Place};
use crate::near::near;
use crate::schema::{
    self, CHECKING, Definitions, EXPLAINING, Expected, Meter, Metered, Part, shortened, shown,
};
use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::sync::OnceLock;

/// Forms of a choice whose mistakes are told.
const FORMS: usize = 3;

/// A schema.
pub struct Check {
    schema: Box<RawValue>,
    /// None within: it cannot be compiled. Whoever wrote the snapshot has warned of that, and nothing is then enforced.
    built: OnceLock<Option<Validator<Metered>>>,
}

/// Of which argument or body a value is.
pub struct Subject<'a> {
    pub place: Place,
    pub name: &'a str,
    /// The argument's text as it was sent, where it is no list or object.
    pub text: Option<&'a str>,
}

impl Check {
    pub const fn new(schema: Box<RawValue>) -> Self {
        Self { schema, built: OnceLock::new() }
    }

    /// Whether `value` is as the schema says. What is too large to be checked is not.
    pub fn accepts(&self, value: &Value, schemas: &Schemas) -> bool {
        let Some(validator) = self.validator(schemas) else { return true };
        let meter = Meter::new(CHECKING);
        validator.is_valid(Part::new(value, &meter)) && !meter.is_spent()
    }

    /// What the schema asks for, in words.
    pub fn expected(&self, schemas: &Schemas) -> Option<String> {
        let schema = serde_json::from_str(self.schema.get()).ok()?;
        Expected(schemas).words(&schema)
    }

    /// Adds what is wrong with `value`, which is not accepted.
    pub fn explain(&self, value: &Value, schemas: &Schemas, subject: &Subject<'_>, mistakes: &mut Mistakes) {
        let Some(validator) = self.validator(schemas) else { return };
        let root = serde_json::from_str(self.schema.get()).unwrap_or_default();
        let meter = Meter::new(EXPLAINING);
        let errors = validator.iter_errors(Part::new(value, &meter));
        let telling = Telling { root, schemas, subject };
        if meter.is_spent() {
            let what =
                "is not as described, in a place that is nested too deeply for each mistake to be told";
            mistakes.add(Mistake::of(subject.place, subject.name, what));
            return;
        }
        for error in errors {
            if mistakes.is_full() {
                return;
            }
            mistakes.add(telling.mistake(&error));
        }
    }

    /// Compiled on first use. Two workers may do so at once rather than wait for one another.
    fn validator(&self, schemas: &Schemas) -> Option<&Validator<Metered>> {
        if let Some(built) = self.built.get() {
            return built.as_ref();
        }
        // A second worker's is dropped.
        let _ = self.built.set(self.compile(schemas));
        self.built.get()?.as_ref()
    }

    fn compile(&self, schemas: &Schemas) -> Option<Validator<Metered>> {
        let mut root = match serde_json::from_str(self.schema.get()).ok()? {
            Value::Object(root) => root,
            other => return schema::compile(&other).ok(),
        };
        let mut needed = BTreeSet::new();
        root.values().for_each(|part| references(part, &mut needed));
        if let Some(name) = root.get("$ref").and_then(named) {
            needed.insert(name.to_owned());
        }
        let mut definitions = Map::new();
        while let Some(name) = needed.pop_first() {
            if definitions.contains_key(&name) {
                continue;
            }
            let definition = schemas.definition(&name)?;
            references(&definition, &mut needed);
            definitions.insert(name, definition);
        }
        if !definitions.is_empty() {
            root.insert("$defs".to_owned(), Value::Object(definitions));
        }
        schema::compile(&Value::Object(root)).ok()
    }
}

fn named(reference: &Value) -> Option<&str> {
    reference.as_str()?.strip_prefix("#/$defs/")
}

/// Adds every name that `schema` refers to.
fn references(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(named).map(str::to_owned));
            members.values().for_each(|member| references(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

/// Puts errors of one value into words.
struct Telling<'a> {
    root: Value,
    schemas: &'a Schemas,
    subject: &'a Subject<'a>,
}

impl Telling<'_> {
    fn mistake(&self, error: &ValidationError<'_>) -> Mistake {
        let node = self.node(error.schema_path().as_str());
        let mut pointer = error.instance_path().as_str().to_owned();
        let (what, shows_value) = self.words(error, &node, &mut pointer);
        let is_secret =
            Expected(self.schemas).is_secret(&node) || Expected(self.schemas).is_secret(&self.root);
        let found = (shows_value && !is_secret).then(|| match self.subject.text {
            Some(text) => format!("{:?}", shortened(text)),
            None => shown(error.instance()),
        });
        Mistake { place: self.subject.place, name: self.subject.name.to_owned(), pointer, what, found }
    }

    /// What was expected, whether the value belongs behind it; a name that is missing is added to the pointer.
    fn words(&self, error: &ValidationError<'_>, node: &Value, pointer: &mut String) -> (String, bool) {
        match error.kind() {
            ValidationErrorKind::Required { property } => {
                let name = property.as_str().unwrap_or_default();
                pointer.push('/');
                pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
                let described = node.get("properties").and_then(|properties| properties.get(name));
                (missing(described.and_then(|described| self.say(described))), false)
            }
            ValidationErrorKind::AdditionalProperties { unexpected }
            | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
                let all: Vec<_> = unexpected.iter().map(|name| format!("{:?}", shortened(name))).collect();
                let properties = node.get("properties").and_then(Value::as_object);
                let names = || properties.into_iter().flat_map(Map::keys).map(String::as_str);
                let meant = unexpected.iter().find_map(|name| near(name, names()));
                let meant = meant.map(|name| format!("; did you mean {name:?}?")).unwrap_or_default();
                (format!("must not have {}{meant}", shortened(&all.join(", "))), false)
            }
            ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
                self.choice(context, error, node)
            }
            ValidationErrorKind::OneOfMultipleValid { .. } => {
                ("fits several of the forms of which it must have exactly one".to_owned(), false)
            }
            ValidationErrorKind::Type { .. }
            | ValidationErrorKind::Enum { .. }
            | ValidationErrorKind::Constant { .. }
            | ValidationErrorKind::Minimum { .. }
            | ValidationErrorKind::Maximum { .. }
            | ValidationErrorKind::ExclusiveMinimum { .. }
            | ValidationErrorKind::ExclusiveMaximum { .. }
            | ValidationErrorKind::MultipleOf { .. }
            | ValidationErrorKind::MinLength { .. }
            | ValidationErrorKind::MaxLength { .. }
            | ValidationErrorKind::Pattern { .. }
            | ValidationErrorKind::MinItems { .. }
            | ValidationErrorKind::MaxItems { .. }
            | ValidationErrorKind::UniqueItems => match self.say(node) {
                Some(expected) => (format!("must be {expected}"), true),
                None => (self.other(error), false),
            },
            _ => (self.other(error), false),
        }
    }

    /// Of a choice between forms: what each wants of the value, as far as it has the form's type.
    fn choice(
        &self,
        context: &[Vec<ValidationError<'static>>],
        error: &ValidationError<'_>,
        node: &Value,
    ) -> (String, bool) {
        let at = error.instance_path().as_str();
        let is_of_type = |first: &&ValidationError<'static>| {
            !(matches!(first.kind(), ValidationErrorKind::Type { .. })
                && first.instance_path().as_str() == at)
        };
        let forms: Vec<_> = context
            .iter()
            .filter_map(|branch| branch.first())
            .filter(is_of_type)
            .take(FORMS)
            .map(|first| self.of_form(first))
            .collect();
        let is_scalar = !error.instance().is_array() && !error.instance().is_object();
        match (forms.is_empty() || is_scalar, self.say(node)) {
            (true, Some(expected)) => (format!("must be {expected}"), true),
            (true, None) => ("fits none of the forms that it may have".to_owned(), true),
            (false, _) => {
                (format!("fits none of the forms that it may have: {}", forms.join("; or ")), false)
            }
        }
    }

    /// The first mistake of a form, without the forms within it.
    fn of_form(&self, error: &ValidationError<'_>) -> String {
        let node = self.node(error.schema_path().as_str());
        let mut pointer = error.instance_path().as_str().to_owned();
        let what = match error.kind() {
            ValidationErrorKind::AnyOf { .. } | ValidationErrorKind::OneOfNotValid { .. } => {
                "fits none of the forms that it may have".to_owned()
            }
            _ => self.words(error, &node, &mut pointer).0,
        };
        let place = if pointer.is_empty() { "it".to_owned() } else { shortened(&pointer) };
        format!("{place} {what}")
    }

    fn other(&self, error: &ValidationError<'_>) -> String {
        let why = shown(&error.masked_with("it"));
        format!("is not as described: {}", why.trim_end_matches('.'))
    }

    fn say(&self, schema: &Value) -> Option<String> {
        Expected(self.schemas).words(schema)
    }

    /// The schema that the keyword at `path` is of. Paths are canonical, so that they begin at a shared schema where
    /// the keyword is in one.
    fn node(&self, path: &str) -> Value {
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        let found = match parent.strip_prefix("/$defs/") {
            Some(rest) => {
                let (name, rest) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                let name = name.replace("~1", "/").replace("~0", "~");
                self.schemas.definition(&name).and_then(|schema| schema.pointer(rest).cloned())
            }
            None => self.root.pointer(parent).cloned(),
        };
        found.unwrap_or_default()
    }
}

/// That something is not there which must be.
pub fn missing(expected: Option<String>) -> String {
    match expected {
        Some(expected) => format!("is required and missing: {expected}"),
        None => "is required and missing".to_owned(),
    }
}
