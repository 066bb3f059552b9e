//! JSON Schemas, compiled once and run many times: for the arguments of tools, for requests to the operations of an api,
//! and for the schemas that users write in plugins. Patterns run on a linear engine, references never leave the schema,
//! and every run has a [`Meter`], so no value can cost more than a fixed number of steps. `expected` and `words` put
//! schemas and values into words that a model can act on; who says what to whom is the callers'.

mod expected;
mod metered;
mod strict;
mod words;

pub use expected::{Definitions, Expected};
pub use metered::{Meter, Metered, Part};
pub use strict::read_json;
pub use words::{cut, shortened, shown, with_article};

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;

/// Steps in which a value must be known to fit: some for each value of the largest message that is taken.
pub const CHECKING: usize = 10_000_000;

/// Steps for finding out what does not fit. They bound the mistakes too, which are all found before one is told.
pub const EXPLAINING: usize = 100_000;

/// Compiles `schema` as JSON Schema 2020-12; an error says why it cannot be.
pub fn compile(schema: &Value) -> Result<Validator<Metered>, String> {
    compile_in(Draft::Draft202012, schema)
}

/// Compiles a schema of any draft: as its `$schema` says, else as draft 7, or as draft 4 where only that reads it.
pub fn compile_as_written(schema: &Value) -> Result<Validator<Metered>, String> {
    if schema.get("$schema").is_some() {
        return compile_in(Draft::default().detect(schema), schema);
    }
    compile_in(Draft::Draft7, schema).or_else(|why| compile_in(Draft::Draft4, schema).map_err(|_| why))
}

fn compile_in(draft: Draft, schema: &Value) -> Result<Validator<Metered>, String> {
    jsonschema::options_for::<Metered>()
        .with_draft(draft)
        .with_pattern_options(PatternOptions::regex())
        .offline()
        .build(schema)
        .map_err(|error| format!("is not a valid JSON Schema: {}", shown(&error)))
}
