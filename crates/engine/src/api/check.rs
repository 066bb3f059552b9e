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
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

/// Forms of a choice whose mistakes are told.
const FORMS: usize = 3;

/// Shared schemas that a schema of its own is compiled with; what needs more is compiled once for the whole api, for
/// operations whose schemas lead to one another would each hold all of them.
const OWN: usize = 16;

/// A schema.
pub struct Check {
    schema: Box<RawValue>,
    built: OnceLock<Built>,
}

enum Built {
    /// None: it cannot be compiled. Whoever wrote the snapshot has warned of that, and nothing is then enforced.
    Own(Option<Validator<Metered>>),
    /// It is the shared schema of this name.
    Shared(Box<str>),
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
        match self.built(schemas) {
            Built::Own(validator) => fits(validator.as_ref(), value),
            Built::Shared(name) => fits(schemas.all(), &under(name, value.clone())),
        }
    }

    /// Adds what is wrong with `value`.
    pub fn check(&self, value: Value, schemas: &Schemas, subject: &Subject<'_>, mistakes: &mut Mistakes) {
        let (validator, value, prefix) = match self.built(schemas) {
            Built::Own(validator) => (validator.as_ref(), value, String::new()),
            Built::Shared(name) => (schemas.all(), under(name, value), format!("/{}", escaped(name))),
        };
        if fits(validator, &value) {
            return;
        }
        let Some(validator) = validator else { return };
        let root = serde_json::from_str(self.schema.get()).unwrap_or_default();
        let meter = Meter::new(EXPLAINING);
        let errors = validator.iter_errors(Part::new(&value, &meter));
        let telling = Telling { root, prefix, schemas, subject };
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

    /// Whether all shared schemas of the api have to be compiled before a value can be checked, which takes a while.
    pub fn needs_all(&self, schemas: &Schemas) -> bool {
        matches!(self.built(schemas), Built::Shared(_)) && !schemas.has_all()
    }

    /// What the schema asks for, in words.
    pub fn expected(&self, schemas: &Schemas) -> Option<String> {
        let schema = serde_json::from_str(self.schema.get()).ok()?;
        Expected(schemas).words(&schema)
    }

    /// Compiled on first use; it takes no longer than a few shared schemas do.
    fn built(&self, schemas: &Schemas) -> &Built {
        self.built.get_or_init(|| self.compile(schemas))
    }

    fn compile(&self, schemas: &Schemas) -> Built {
        let mut root = match serde_json::from_str(self.schema.get()) {
            Ok(Value::Object(root)) => root,
            other => return Built::Own(other.ok().and_then(|schema| schema::compile(&schema).ok())),
        };
        let mut needed = BTreeSet::new();
        root.values().for_each(|part| references(part, &mut needed));
        let whole = root.get("$ref").and_then(named).map(str::to_owned);
        needed.extend(whole.clone());
        let mut definitions = Map::new();
        while let Some(name) = needed.pop_first() {
            if definitions.contains_key(&name) {
                continue;
            }
            if let (OWN, 1, Some(whole)) = (definitions.len(), root.len(), &whole) {
                return Built::Shared(whole.as_str().into());
            }
            let Some(definition) = schemas.definition(&name) else { return Built::Own(None) };
            references(&definition, &mut needed);
            definitions.insert(name, definition);
        }
        if !definitions.is_empty() {
            root.insert("$defs".to_owned(), Value::Object(definitions));
        }
        Built::Own(schema::compile(&Value::Object(root)).ok())
    }
}

/// All of `schemas` as one, for values that stand [`under`] the name of theirs.
pub fn compile_all(schemas: &BTreeMap<String, Box<RawValue>>) -> Option<Validator<Metered>> {
    let mut properties = Map::new();
    let mut definitions = Map::new();
    for (name, schema) in schemas {
        properties.insert(name.clone(), json!({"$ref": format!("#/$defs/{name}")}));
        definitions.insert(name.clone(), serde_json::from_str(schema.get()).ok()?);
    }
    schema::compile(&json!({"properties": properties, "$defs": definitions})).ok()
}

/// An object with the one member `value`.
fn under(name: &str, value: Value) -> Value {
    Value::Object(Map::from_iter([(name.to_owned(), value)]))
}

fn fits(validator: Option<&Validator<Metered>>, value: &Value) -> bool {
    let Some(validator) = validator else { return true };
    let meter = Meter::new(CHECKING);
    validator.is_valid(Part::new(value, &meter)) && !meter.is_spent()
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
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
    /// What pointers into the value begin with.
    prefix: String,
    schemas: &'a Schemas,
    subject: &'a Subject<'a>,
}

impl Telling<'_> {
    fn mistake(&self, error: &ValidationError<'_>) -> Mistake {
        let node = self.node(error.schema_path().as_str());
        let mut pointer = self.pointer(error);
        let (what, shows_value) = self.words(error, &node, &mut pointer);
        let is_secret =
            Expected(self.schemas).is_secret(&node) || Expected(self.schemas).is_secret(&self.root);
        let found = (shows_value && !is_secret).then(|| match self.subject.text {
            Some(text) => format!("{:?}", shortened(text)),
            None => shown(error.instance()),
        });
        Mistake { place: self.subject.place, name: self.subject.name.to_owned(), pointer, what, found }
    }

    fn pointer(&self, error: &ValidationError<'_>) -> String {
        let whole = error.instance_path().as_str();
        whole.strip_prefix(self.prefix.as_str()).unwrap_or(whole).to_owned()
    }

    /// What was expected, whether the value belongs behind it; a name that is missing is added to the pointer.
    fn words(&self, error: &ValidationError<'_>, node: &Value, pointer: &mut String) -> (String, bool) {
        match error.kind() {
            ValidationErrorKind::Required { property } => {
                let name = property.as_str().unwrap_or_default();
                pointer.push('/');
                pointer.push_str(&escaped(name));
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
        let mut pointer = self.pointer(error);
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
