//! One argument of an operation: where its texts are in a request, whether they must be there, and what is wrong with
//! them. Query arguments are looked up by their decoded names, so that no spelling hides one.

use super::Schemas;
use super::check::{Check, Subject, missing};
use super::mistake::{Mistake, Mistakes, Place};
use super::multipart::FormPart;
use super::reading::{Encoding, Form};
use crate::exchange::Exchange;
use crate::schema::shortened;
use crate::snapshot::{Location, ParameterShape, Style};
use crate::variable::arguments;
use ::http::{HeaderMap, HeaderName, header};
use serde_json::Value;
use smallvec::SmallVec;
use std::borrow::Cow;

/// An argument, ready to be checked.
pub struct Argument {
    place: Place,
    name: Box<str>,
    header: Option<HeaderName>,
    required: bool,
    allow_empty: bool,
    is_file: bool,
    form: Form,
    check: Option<Check>,
}

/// Where arguments stand as pairs of names and texts.
#[derive(Clone, Copy)]
pub enum Pairs<'a> {
    /// A query, or a form that is a body.
    Form(&'a str),
    /// The Cookie headers of a message.
    Cookies(&'a HeaderMap),
    Parts(&'a [FormPart<'a>]),
}

impl<'a> Pairs<'a> {
    /// Gives each pair as it stands there.
    pub fn each(self, mut take: impl FnMut(&'a str, &'a str)) {
        match self {
            Self::Form(text) => arguments(text).for_each(|(name, text)| take(name, text)),
            Self::Parts(parts) => parts.iter().for_each(|part| take(&part.name, part.text)),
            Self::Cookies(headers) => {
                let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
                let cookies = values.flat_map(|value| value.split(';'));
                let pairs = cookies.filter_map(|cookie| cookie.trim().split_once('='));
                pairs.for_each(|(name, text)| take(name, text));
            }
        }
    }

    /// How names are written.
    pub const fn names(self) -> Encoding {
        match self {
            Self::Form(_) => Encoding::Form,
            Self::Cookies(_) | Self::Parts(_) => Encoding::Plain,
        }
    }

    const fn texts(self) -> Encoding {
        match self {
            Self::Form(_) => Encoding::Form,
            Self::Cookies(_) => Encoding::Percent,
            Self::Parts(_) => Encoding::Plain,
        }
    }
}

type Texts<'a> = SmallVec<[&'a str; 2]>;

impl Argument {
    /// Builds an argument; an error says what is wrong with it.
    pub fn build(shape: ParameterShape) -> Result<Self, String> {
        let place = match shape.location {
            Some(Location::Path) => Place::Path,
            Some(Location::Query) => Place::Query,
            Some(Location::Header) => Place::Header,
            Some(Location::Cookie) => Place::Cookie,
            None => Place::Field,
        };
        let header = (place == Place::Header).then(|| shape.name.parse::<HeaderName>()).transpose();
        Ok(Self {
            place,
            header: header.map_err(|_| format!("{:?} is not a name of a header", shape.name))?,
            required: shape.required,
            allow_empty: shape.allow_empty,
            is_file: shape.file,
            form: Form::new(shape.style, shape.explode, shape.json, &shape.values),
            check: shape.schema.map(Check::new),
            name: shape.name.into(),
        })
    }

    pub const fn place(&self) -> Place {
        self.place
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether an argument of this decoded name is one of this.
    pub fn is_called(&self, name: &str) -> bool {
        if self.form.has_loose_members() {
            return self.form.members().any(|member| member == name);
        }
        let inner = name.strip_prefix(&*self.name);
        inner.is_some_and(|rest| {
            rest.is_empty() || self.form.style == Style::DeepObject && rest.starts_with('[')
        })
    }

    /// Adds what is wrong with the argument in `exchange`, whose path has the arguments `in_path`.
    pub fn check(
        &self,
        exchange: &Exchange,
        in_path: Option<&[(&str, &str)]>,
        schemas: &Schemas,
        mistakes: &mut Mistakes,
    ) {
        if self.check.is_none() && !self.required {
            return;
        }
        match self.place {
            Place::Path => {
                let Some(in_path) = in_path else { return };
                let texts = in_path.iter().filter(|(name, _)| *name == &*self.name).map(|(_, text)| *text);
                self.check_texts(&texts.collect::<Texts<'_>>(), Encoding::Percent, schemas, mistakes);
            }
            Place::Header => self.check_header(exchange, schemas, mistakes),
            Place::Cookie => {
                self.check_pairs(Pairs::Cookies(&exchange.request.headers), schemas, mistakes);
            }
            _ => {
                let query = exchange.request.uri.query().unwrap_or_default();
                self.check_pairs(Pairs::Form(query), schemas, mistakes);
            }
        }
    }

    fn check_header(&self, exchange: &Exchange, schemas: &Schemas, mistakes: &mut Mistakes) {
        let Some(header) = &self.header else { return };
        let mut texts = Texts::new();
        for value in exchange.request.headers.get_all(header) {
            match std::str::from_utf8(value.as_bytes()) {
                Ok(text) => texts.push(text),
                Err(_) => return mistakes.add(self.mistake("must be UTF-8")),
            }
        }
        self.check_texts(&texts, Encoding::Plain, schemas, mistakes);
    }

    /// Adds what is wrong with the argument among `pairs`.
    pub fn check_pairs(&self, pairs: Pairs<'_>, schemas: &Schemas, mistakes: &mut Mistakes) {
        let is_deep = self.form.style == Style::DeepObject;
        if !is_deep && !self.form.has_loose_members() {
            let mut texts = Texts::new();
            pairs.each(|name, text| {
                if pairs.names().is(name, &self.name) {
                    texts.push(text);
                }
            });
            return self.check_texts(&texts, pairs.texts(), schemas, mistakes);
        }
        let mut members: Vec<(Cow<'_, str>, &str)> = Vec::new();
        pairs.each(|name, text| {
            let Some(name) = pairs.names().decode(name) else { return };
            let member = match is_deep {
                true => {
                    name.strip_prefix(&*self.name).and_then(|rest| rest.strip_prefix('[')).map(str::to_owned)
                }
                false => self.form.members().find(|member| *member == name).map(str::to_owned),
            };
            members.extend(member.map(|member| (member.into(), text)));
        });
        self.check_members(members, is_deep, pairs.texts(), schemas, mistakes);
    }

    /// `members` are those of an object, each an argument of its own; the name of a deep one ends in `]`.
    fn check_members(
        &self,
        members: Vec<(Cow<'_, str>, &str)>,
        is_deep: bool,
        encoding: Encoding,
        schemas: &Schemas,
        mistakes: &mut Mistakes,
    ) {
        if members.is_empty() {
            return self.check_presence(schemas, mistakes);
        }
        let mut found: Vec<(Cow<'_, str>, Cow<'_, str>)> = Vec::with_capacity(members.len());
        for (name, text) in members {
            let name = match name.strip_suffix(']') {
                // OpenAPI does not say how deeper objects and lists are written.
                Some(name) if is_deep && name.contains(['[', ']']) => return,
                Some(name) if is_deep => Cow::Owned(name.to_owned()),
                None if is_deep => {
                    return mistakes.add(self.mistake("must be written as name[member]=value"));
                }
                _ => name,
            };
            let Some(text) = encoding.decode(text) else {
                return mistakes.add(self.mistake("must be UTF-8"));
            };
            if found.iter().any(|(known, _)| *known == name) {
                let what = format!("has the member {:?} twice", shortened(&name));
                return mistakes.add(self.mistake(what));
            }
            found.push((name, text));
        }
        let value = self.form.object(found.into_iter());
        self.check_values(&[value], None, schemas, mistakes);
    }

    fn check_texts(&self, texts: &[&str], encoding: Encoding, schemas: &Schemas, mistakes: &mut Mistakes) {
        if texts.is_empty() {
            return self.check_presence(schemas, mistakes);
        }
        if self.is_file || (self.allow_empty && texts == [""]) {
            return;
        }
        let Some(check) = &self.check else { return };
        match self.form.read(&self.name, texts, encoding) {
            Ok(values) => {
                let text = texts.first().and_then(|text| encoding.decode(text));
                self.check_values(&values, text.as_deref(), schemas, mistakes);
            }
            Err(what) => match check.expected(schemas) {
                Some(expected) if texts.len() == 1 => {
                    mistakes.add(self.mistake(format!("{what}; it must be {expected}")));
                }
                _ => mistakes.add(self.mistake(what)),
            },
        }
    }

    fn check_presence(&self, schemas: &Schemas, mistakes: &mut Mistakes) {
        if self.required {
            let expected = self.check.as_ref().and_then(|check| check.expected(schemas));
            mistakes.add(self.mistake(missing(expected)));
        }
    }

    /// `values` are what the argument may mean, of which one must fit; `text` is it decoded.
    fn check_values(&self, values: &[Value], text: Option<&str>, schemas: &Schemas, mistakes: &mut Mistakes) {
        let Some(check) = &self.check else { return };
        if values.iter().any(|value| check.accepts(value, schemas)) {
            return;
        }
        let Some(value) = values.first() else { return };
        let text = text.filter(|_| !value.is_array() && !value.is_object());
        let subject = Subject { place: self.place, name: &self.name, text };
        check.check(value.clone(), schemas, &subject, mistakes);
    }

    fn mistake(&self, what: impl Into<String>) -> Mistake {
        Mistake::of(self.place, &self.name, what)
    }
}
