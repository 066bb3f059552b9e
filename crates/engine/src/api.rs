//! Apis, built: what requests to their operations must be like, and what is wrong with one that is not.
//!
//! The plugin `oas-validator` asks; how it answers is the plugin's. `arguments` finds the values of parameters in a
//! request, `reading` reads their texts by style, `body` and `multipart` read bodies, `check` holds values against
//! schemas, and `mistake` is what comes of it. A schema is compiled when a request first needs it, since most
//! operations of a large document are never called; what leads to many others is compiled once for the whole api.

mod arguments;
mod body;
mod check;
mod mistake;
mod multipart;
mod reading;
mod template;

pub use body::{Content, Contents, unknown};
pub use mistake::{Mistake, Mistakes, Place};

use crate::exchange::Exchange;
use crate::near::near;
use crate::schema::{Definitions, Metered};
use crate::snapshot::{self, OperationShape};
use crate::table::Keyed;
use ::http::Method;
use arguments::Argument;
use jsonschema::Validator;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};
use std::thread;
use template::PathTemplate;
use tokio::sync::{OnceCell, oneshot};

/// An api, ready to check requests.
pub struct Api {
    id: Box<str>,
    schemas: Schemas,
    operations: HashMap<Box<str>, Operation>,
}

/// The schemas of an api that others refer to, as text, and compiled once somebody needs many of them.
pub struct Schemas {
    texts: BTreeMap<String, Box<RawValue>>,
    all: OnceLock<Option<Validator<Metered>>>,
    /// Those who wait for the thread that compiles them.
    prepared: OnceCell<()>,
}

/// What requests to one operation must be like.
pub struct Operation {
    method: Method,
    path: Option<PathTemplate>,
    arguments: Vec<Argument>,
    body: Option<Contents>,
}

impl Keyed for Api {
    fn key(&self) -> &[u8] {
        self.id.as_bytes()
    }
}

impl Definitions for Schemas {
    fn definition(&self, name: &str) -> Option<Value> {
        serde_json::from_str(self.texts.get(name)?.get()).ok()
    }
}

impl Schemas {
    /// All of them as one; none where they cannot be compiled.
    fn all(&self) -> Option<&Validator<Metered>> {
        self.all.get_or_init(|| check::compile_all(&self.texts)).as_ref()
    }

    fn has_all(&self) -> bool {
        self.all.get().is_some()
    }
}

impl Api {
    /// Compiles all shared schemas on a thread of its own, so that the worker goes on with other requests.
    pub async fn prepare(self: &Arc<Self>) {
        let compiling = || async {
            let (done, is_done) = oneshot::channel();
            let api = self.clone();
            let thread = thread::Builder::new().name("schemas".into()).spawn(move || {
                api.schemas.all();
                // Whoever waited may be gone.
                let _ = done.send(());
            });
            if thread.is_ok() {
                // Without an answer they are compiled by whoever needs them.
                let _ = is_done.await;
            }
        };
        self.schemas.prepared.get_or_init(compiling).await;
    }

    /// Builds `api`; an error is a JSON pointer into it and a sentence.
    pub fn build(api: snapshot::Api) -> Result<Self, (String, String)> {
        let mut operations = HashMap::with_capacity(api.operations.len());
        for (name, shape) in api.operations {
            let operation = Operation::build(shape).map_err(|(at, why)| {
                (format!("/operations/{}{at}", name.replace('~', "~0").replace('/', "~1")), why)
            })?;
            operations.insert(name.into(), operation);
        }
        Ok(Self {
            id: api.id.into(),
            schemas: Schemas { texts: api.schemas, all: OnceLock::new(), prepared: OnceCell::new() },
            operations,
        })
    }

    /// The operation of this id.
    pub fn operation(&self, id: &str) -> Option<&Operation> {
        self.operations.get(id)
    }

    /// The operation's id that is nearest to `id`.
    pub fn near(&self, id: &str) -> Option<&str> {
        near(id, self.operations.keys().map(|name| &**name))
    }

    pub fn schemas(&self) -> &Schemas {
        &self.schemas
    }
}

impl Operation {
    fn build(shape: OperationShape) -> Result<Self, (String, String)> {
        let method =
            shape.method.parse().map_err(|_| ("/method".to_owned(), "is not a method".to_owned()))?;
        let path = shape.path.as_deref().map(PathTemplate::parse).transpose();
        let path = path.map_err(|why| ("/path".to_owned(), why))?;
        let arguments = shape.parameters.into_iter().map(Argument::build).collect::<Result<_, _>>();
        let arguments = arguments.map_err(|why| ("/parameters".to_owned(), why))?;
        let body = shape.body.map(Contents::build).transpose().map_err(|why| ("/body".to_owned(), why))?;
        Ok(Self { method, path, arguments, body })
    }

    /// Whether a request of this method is one to the operation. A route may answer browsers that ask with OPTIONS
    /// before they send it.
    pub fn is_called_by(&self, method: &Method) -> bool {
        *method != Method::OPTIONS || self.method == Method::OPTIONS
    }

    /// What bodies may be, where the operation takes any.
    pub fn body(&self) -> Option<&Contents> {
        self.body.as_ref()
    }

    /// Adds what is wrong with path, query, headers and cookies of `exchange`.
    pub fn check_arguments(&self, exchange: &Exchange, schemas: &Schemas, mistakes: &mut Mistakes) {
        if self.arguments.is_empty() {
            return;
        }
        let in_path = self.path.as_ref().and_then(|path| path.values(&exchange.path));
        for argument in &self.arguments {
            if mistakes.is_full() {
                return;
            }
            argument.check(exchange, in_path.as_deref(), schemas, mistakes);
        }
    }

    /// Whether an argument of this (decoded) name is one that the operation takes in its query.
    pub fn takes_in_query(&self, name: &str) -> bool {
        let mut of_query = self.arguments.iter().filter(|argument| argument.place() == Place::Query);
        of_query.any(|argument| argument.is_called(name))
    }

    /// The names of the arguments that the operation takes in its query.
    pub fn query_names(&self) -> impl Iterator<Item = &str> {
        let of_query = self.arguments.iter().filter(|argument| argument.place() == Place::Query);
        of_query.map(Argument::name)
    }
}
