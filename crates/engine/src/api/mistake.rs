//! What is wrong with a request: where, what was expected, and what was found; in words for models and for the log.

use crate::schema::{cut, shortened};
use serde::{Serialize, Serializer};
use std::fmt::{self, Display};

/// Characters of one mistake.
const LONGEST: usize = 600;

/// Where something stands in a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    Path,
    Query,
    Header,
    Cookie,
    /// A field of a form.
    Field,
    Body,
}

/// One thing that is wrong.
#[derive(Debug)]
pub struct Mistake {
    pub place: Place,
    /// The argument's name; empty for a body.
    pub name: String,
    /// JSON pointer from there on; empty for the whole.
    pub pointer: String,
    /// `must be an integer`, without anything of the value.
    pub what: String,
    /// What is there instead, where it may be shown.
    pub found: Option<String>,
}

/// All that is wrong with a request, up to a number.
pub struct Mistakes {
    most: usize,
    all: Vec<Mistake>,
}

impl Mistakes {
    /// Takes at most `most` mistakes.
    pub const fn new(most: usize) -> Self {
        Self { most, all: Vec::new() }
    }

    pub fn is_full(&self) -> bool {
        self.all.len() >= self.most
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Adds one, unless there are enough.
    pub fn add(&mut self, mistake: Mistake) {
        if !self.is_full() {
            self.all.push(mistake);
        }
    }

    /// Adds one before all others, in place of the last where there are enough.
    pub fn add_first(&mut self, mistake: Mistake) {
        self.all.insert(0, mistake);
        self.all.truncate(self.most);
    }

    pub fn iter(&self) -> impl Iterator<Item = &Mistake> {
        self.all.iter()
    }
}

impl Mistake {
    /// One of an argument as a whole.
    pub fn of(place: Place, name: &str, what: impl Into<String>) -> Self {
        Self { place, name: name.to_owned(), pointer: String::new(), what: what.into(), found: None }
    }

    /// The same with what was found.
    pub fn found(self, found: impl Into<String>) -> Self {
        Self { found: Some(found.into()), ..self }
    }

    /// The mistake without what was found, which may be a secret: for logs.
    pub fn without_value(&self) -> String {
        cut(&format!("{} {}", self.subject(), self.what), LONGEST)
    }

    fn subject(&self) -> String {
        let word = match self.place {
            Place::Path => "path argument",
            Place::Query => "query argument",
            Place::Header => "header",
            Place::Cookie => "cookie",
            Place::Field => "form field",
            Place::Body if self.pointer.is_empty() => return "the body".to_owned(),
            Place::Body => return format!("body pointer {}", shortened(&self.pointer)),
        };
        let name = shortened(&self.name);
        match self.pointer.is_empty() {
            true => format!("{word} {name:?}"),
            false => format!("{word} {name:?} pointer {}", shortened(&self.pointer)),
        }
    }
}

impl Display for Mistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.without_value();
        match &self.found {
            Some(found) => write!(formatter, "{}", cut(&format!("{text}, not {found}"), LONGEST)),
            None => formatter.write_str(&text),
        }
    }
}

impl Serialize for Mistake {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Told<'a> {
            #[serde(rename = "in")]
            place: Place,
            #[serde(skip_serializing_if = "str::is_empty")]
            name: &'a str,
            #[serde(skip_serializing_if = "str::is_empty")]
            pointer: &'a str,
            message: String,
        }

        let Self { place, name, pointer, .. } = self;
        Told { place: *place, name, pointer, message: self.to_string() }.serialize(serializer)
    }
}
