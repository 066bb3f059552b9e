//! Bodies of an operation: which media types it takes, and what is wrong with a body in one of them.
//!
//! JSON is held against its schema, forms field by field; of everything else only the media type is known here.

use super::Schemas;
use super::arguments::{Argument, Pairs};
use super::check::{Check, Subject};
use super::mistake::{Mistake, Mistakes, Place};
use super::multipart;
use crate::near::near;
use crate::schema::{read_json, shortened};
use crate::snapshot::{BodyShape, ContentCheck};
use ::http::{HeaderMap, HeaderValue, header};

/// What bodies of an operation may be.
pub struct Contents {
    pub is_required: bool,
    contents: Vec<Content>,
}

/// A body in one media type, or in one of a range.
pub struct Content {
    /// Type and subtype; `*` stands for any.
    media_type: (Box<str>, Box<str>),
    check: Looked,
}

/// What of it is looked at.
enum Looked {
    Any,
    Json(Check),
    Fields { fields: Vec<Argument>, closed: bool },
}

impl Contents {
    /// Builds bodies; an error says what is wrong with them.
    pub fn build(shape: BodyShape) -> Result<Self, String> {
        let contents = shape.contents.into_iter().map(|content| {
            let (of, sub) = content.media_type.split_once('/').ok_or("a media type has a /")?;
            let check = match content.check {
                ContentCheck::Any => Looked::Any,
                ContentCheck::Json(schema) => Looked::Json(Check::new(schema)),
                ContentCheck::Fields(fields) => Looked::Fields {
                    fields: fields.fields.into_iter().map(Argument::build).collect::<Result<_, _>>()?,
                    closed: fields.closed,
                },
            };
            Ok(Content { media_type: (of.into(), sub.into()), check })
        });
        Ok(Self { is_required: shape.required, contents: contents.collect::<Result<_, String>>()? })
    }

    /// The content that a message with these headers has: by its very media type, else by a range; none where it has
    /// another, or says it twice.
    pub fn of(&self, headers: &HeaderMap) -> Option<&Content> {
        let mut values = headers.get_all(header::CONTENT_TYPE).iter();
        let (value, rest) = (values.next().and_then(essence), values.next());
        let (of, sub) = if rest.is_some() { ("", "") } else { value.unwrap_or_default() };
        let fits = |pattern: &str, name: &str| pattern == "*" || pattern.eq_ignore_ascii_case(name);
        let matching = self
            .contents
            .iter()
            .filter(|content| fits(&content.media_type.0, of) && fits(&content.media_type.1, sub));
        matching.min_by_key(|content| (&*content.media_type.0 == "*", &*content.media_type.1 == "*"))
    }

    /// The media types, for messages.
    pub fn media_types(&self) -> String {
        let all: Vec<_> = self
            .contents
            .iter()
            .map(|content| format!("{}/{}", content.media_type.0, content.media_type.1))
            .collect();
        shortened(&all.join(", "))
    }

    /// That there is no body.
    pub fn missing(&self) -> Mistake {
        Mistake::of(Place::Body, "", format!("is required and missing: {}", self.media_types()))
    }
}

/// Type and subtype of a Content-Type.
fn essence(value: &HeaderValue) -> Option<(&str, &str)> {
    let text = value.to_str().ok()?;
    let (of, sub) = text.split(';').next()?.trim().split_once('/')?;
    Some((of, sub))
}

impl Content {
    /// Whether the bytes are looked at.
    pub const fn needs_bytes(&self) -> bool {
        !matches!(self.check, Looked::Any)
    }

    /// Whether all shared schemas of the api have to be compiled before a body can be checked.
    pub fn needs_all(&self, schemas: &Schemas) -> bool {
        matches!(&self.check, Looked::Json(check) if check.needs_all(schemas))
    }

    /// Adds what is wrong with the body `bytes` of a message with these headers.
    pub fn check(&self, bytes: &[u8], headers: &HeaderMap, schemas: &Schemas, mistakes: &mut Mistakes) {
        match &self.check {
            Looked::Any => {}
            Looked::Json(check) => match read_json(bytes) {
                Ok(value) => {
                    let subject = Subject { place: Place::Body, name: "", text: None };
                    check.check(value, schemas, &subject, mistakes);
                }
                Err(error) => {
                    mistakes.add(Mistake::of(
                        Place::Body,
                        "",
                        format!("must be JSON: {}", shortened(&error.to_string())),
                    ));
                }
            },
            Looked::Fields { fields, closed } => {
                let what = match self.check_form(bytes, headers, |pairs| {
                    check_fields(fields, *closed, pairs, schemas, mistakes);
                }) {
                    Ok(()) => return,
                    Err(what) => what,
                };
                mistakes.add(Mistake::of(Place::Body, "", what));
            }
        }
    }

    /// Gives the fields of a form to `check`; an error says why they cannot be read.
    fn check_form(
        &self,
        bytes: &[u8],
        headers: &HeaderMap,
        check: impl FnOnce(Pairs<'_>),
    ) -> Result<(), String> {
        if &*self.media_type.0 == "multipart" {
            let boundary = headers.get(header::CONTENT_TYPE).and_then(multipart::boundary);
            let boundary = boundary.ok_or("must have a boundary in its Content-Type")?;
            check(Pairs::Parts(&multipart::parts(bytes, &boundary)?));
        } else {
            check(Pairs::Form(std::str::from_utf8(bytes).map_err(|_| "must be UTF-8")?));
        }
        Ok(())
    }
}

fn check_fields(
    fields: &[Argument],
    closed: bool,
    pairs: Pairs<'_>,
    schemas: &Schemas,
    mistakes: &mut Mistakes,
) {
    for field in fields {
        if mistakes.is_full() {
            return;
        }
        field.check_pairs(pairs, schemas, mistakes);
    }
    if closed {
        pairs.each(|name, _| {
            let name = pairs.names().decode(name).unwrap_or_else(|| name.into());
            if !mistakes.is_full() && !fields.iter().any(|field| field.is_called(&name)) {
                let known = fields.iter().map(Argument::name);
                mistakes.add(Mistake::of(Place::Field, &name, unknown(near(&name, known))));
            }
        });
    }
}

/// That nothing of this name is taken.
pub fn unknown(near: Option<&str>) -> String {
    match near {
        Some(near) => format!("is not known here; did you mean {near:?}?"),
        None => "is not known here".to_owned(),
    }
}
