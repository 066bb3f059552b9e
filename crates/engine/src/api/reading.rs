//! From the text of an argument to the values that it may mean, by the styles of OpenAPI 3.1 (section 4.8.12, RFC 6570)
//! and the types that its schema allows. Nothing is checked here.

use crate::schema::read_json;
use crate::snapshot::{Style, ValueType, Values};
use crate::variable::decodes_to;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Number, Value};
use smallvec::{SmallVec, smallvec};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// How names and values are written where they stand.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Encoding {
    /// As they are: headers, parts of a multipart body.
    Plain,
    /// Percent-encoded: paths, cookies.
    Percent,
    /// Percent-encoded, and `+` is a space: queries, forms.
    Form,
}

/// What the texts of an argument may mean: any of these, the likelier first.
pub type Candidates = SmallVec<[Value; 2]>;

/// Why an argument cannot be read, as `must be ...`.
pub type Unreadable = String;

/// Types that a value may have.
#[derive(Clone, Copy, Debug, Default)]
pub struct Types(u8);

impl Types {
    pub fn new(types: &[ValueType]) -> Self {
        Self(types.iter().fold(0, |bits, one| bits | 1 << (*one as u8)))
    }

    pub const fn has(self, one: ValueType) -> bool {
        self.0 & 1 << (one as u8) != 0
    }
}

/// How the values of one argument are written, and what they may be.
pub struct Form {
    pub style: Style,
    pub explode: bool,
    pub json: bool,
    pub types: Types,
    items: Types,
    properties: BTreeMap<Box<str>, Types>,
    others: Types,
}

impl Encoding {
    /// The text that is meant; none where it is not UTF-8.
    pub fn decode(self, text: &str) -> Option<Cow<'_, str>> {
        match self {
            Self::Plain => Some(text.into()),
            Self::Form if text.contains('+') => {
                let spaced = text.replace('+', " ");
                let decoded = percent_decode_str(&spaced).decode_utf8().ok()?;
                Some(decoded.into_owned().into())
            }
            _ => percent_decode_str(text).decode_utf8().ok(),
        }
    }

    /// Whether `text` means `wanted`.
    pub fn is(self, text: &str, wanted: &str) -> bool {
        match self {
            Self::Form => decodes_to(text, wanted),
            Self::Plain => text == wanted,
            Self::Percent => text == wanted || percent_decode_str(text).eq(wanted.bytes()),
        }
    }
}

impl Form {
    pub fn new(style: Style, explode: bool, json: bool, values: &Values) -> Self {
        let properties =
            values.properties.iter().map(|(name, types)| (name.as_str().into(), Types::new(types)));
        Self {
            style,
            explode,
            json,
            types: Types::new(&values.types),
            items: Types::new(&values.items),
            properties: properties.collect(),
            others: Types::new(&values.others),
        }
    }

    /// The names of the object's members, where each stands as an argument of its own.
    pub fn members(&self) -> impl Iterator<Item = &str> {
        self.properties.keys().map(|name| &**name)
    }

    /// Whether the members of an object stand as arguments of their own: `R=100&G=200`.
    pub fn has_loose_members(&self) -> bool {
        self.types.has(ValueType::Object) && self.explode && self.style == Style::Form && !self.json
    }

    /// What the `texts` of one argument may mean; there is at least one. `name` is the argument's.
    pub fn read(&self, name: &str, texts: &[&str], encoding: Encoding) -> Result<Candidates, Unreadable> {
        let [first, rest @ ..] = texts else { return Ok(Candidates::new()) };
        if self.json {
            return match rest {
                [] => read_json(decoded(first, encoding)?.as_bytes())
                    .map(|value| smallvec![value])
                    .map_err(|error| format!("must be JSON: {error}")),
                _ => Err(repeated(texts)),
            };
        }
        let mut found = Candidates::new();
        if self.types.has(ValueType::Array) {
            self.lists(name, texts, encoding, &mut found)?;
        }
        if self.types.has(ValueType::Object)
            && rest.is_empty()
            && let Some(members) = self.pairs(name, first, encoding)?
        {
            found.push(self.object(members.into_iter()));
        }
        let is_compound = !found.is_empty();
        if rest.is_empty() && (!is_compound || self.takes_scalars()) {
            let text = decoded(self.without_sign(name, first), encoding)?;
            scalars(&text, self.types, &mut found);
        }
        if found.is_empty() {
            return Err(if rest.is_empty() {
                "is not written as it should be".to_owned()
            } else {
                repeated(texts)
            });
        }
        Ok(found)
    }

    /// An object of `members`, names and texts that are decoded.
    pub fn object<'a>(&self, members: impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)>) -> Value {
        let mut object = Map::new();
        for (name, text) in members {
            let types = self.properties.get(&*name).copied().unwrap_or(self.others);
            object.insert(name.into_owned(), scalar(&text, types));
        }
        object.into()
    }

    fn takes_scalars(&self) -> bool {
        use ValueType::{Boolean, Integer, Null, Number, String};
        [Boolean, Integer, Null, Number, String].iter().any(|one| self.types.has(*one))
    }

    fn lists(
        &self,
        name: &str,
        texts: &[&str],
        encoding: Encoding,
        found: &mut Candidates,
    ) -> Result<(), Unreadable> {
        let items = self.items_of(name, texts, encoding)?;
        let list = |of: &dyn Fn(&str) -> Value| Value::Array(items.iter().map(|item| of(item)).collect());
        // An empty text is an empty list, or a list of one empty text.
        if matches!(items.as_slice(), [only] if only.is_empty()) {
            found.push(Value::Array(Vec::new()));
        }
        found.push(list(&|item| scalar(item, self.items)));
        if self.items.has(ValueType::String) && self.items.0.count_ones() > 1 {
            found.push(list(&|item| item.into()));
        }
        Ok(())
    }

    fn items_of<'a>(
        &self,
        name: &str,
        texts: &[&'a str],
        encoding: Encoding,
    ) -> Result<Vec<Cow<'a, str>>, Unreadable> {
        let parts: Vec<&str> = match self.style {
            Style::Matrix => {
                let of = |part: &'a str| {
                    part.split_once('=').filter(|(own, _)| *own == name).map(|(_, value)| value)
                };
                let values = texts.iter().flat_map(|text| text.split(';')).filter_map(of);
                values.flat_map(|value| split(value, ',', !self.explode)).collect()
            }
            Style::Label => {
                let text =
                    texts.first().map(|text| text.strip_prefix('.').unwrap_or(text)).unwrap_or_default();
                text.split(if self.explode { '.' } else { ',' }).collect()
            }
            _ if self.explode && self.style != Style::Simple => texts.to_vec(),
            Style::Simple | Style::Form | Style::DeepObject => {
                texts.iter().flat_map(|text| text.split(',')).map(|part| trimmed(part, encoding)).collect()
            }
            // These delimiters are always encoded, so that values are split when they are decoded.
            Style::SpaceDelimited | Style::PipeDelimited | Style::TabDelimited => {
                return self.delimited(texts, encoding);
            }
        };
        // Some clients encode the commas that separate, too.
        if let ([only], Style::Form | Style::Simple, false) = (parts.as_slice(), self.style, self.explode)
            && only.contains('%')
        {
            let text = decoded(only, encoding)?;
            return Ok(text.split(',').map(|item| item.to_owned().into()).collect());
        }
        parts.into_iter().map(|part| decoded(part, encoding)).collect()
    }

    fn delimited<'a>(&self, texts: &[&'a str], encoding: Encoding) -> Result<Vec<Cow<'a, str>>, Unreadable> {
        let mut items = Vec::new();
        for text in texts {
            let text = decoded(text, encoding)?;
            items.extend(text.split(self.delimiter()).map(|item| Cow::Owned(item.to_owned())));
        }
        Ok(items)
    }

    const fn delimiter(&self) -> char {
        match self.style {
            Style::SpaceDelimited => ' ',
            Style::PipeDelimited => '|',
            Style::TabDelimited => '\t',
            _ => ',',
        }
    }

    /// The members of an object that is one text; none where it has no such form.
    fn pairs<'a>(
        &self,
        name: &str,
        text: &'a str,
        encoding: Encoding,
    ) -> Result<Option<Vec<Pair<'a>>>, Unreadable> {
        let text = self.without_sign(name, text);
        let separator = match (self.style, self.explode) {
            (Style::Label, true) => '.',
            (Style::Matrix, true) => ';',
            (Style::DeepObject, _) => return Ok(None),
            _ => self.delimiter(),
        };
        let is_split_first = self.delimiter() == ',' && (text.contains(separator) || self.explode);
        let whole = if is_split_first { Cow::Borrowed(text) } else { decoded(text, encoding)? };
        let encoding = if is_split_first { encoding } else { Encoding::Plain };
        let parts: Vec<&str> = whole.split(separator).map(|part| trimmed(part, encoding)).collect();
        let owned = |text: &str| decoded(text, encoding).map(|text| Cow::Owned(text.into_owned()));
        let mut members = Vec::with_capacity(parts.len());
        if self.explode {
            for part in parts.iter().filter(|part| !part.is_empty()) {
                let Some((name, value)) = part.split_once('=') else { return Ok(None) };
                members.push((owned(name)?, owned(value)?));
            }
        } else {
            for pair in parts.chunks(2) {
                let [name, value] = *pair else { return Ok(None) };
                members.push((owned(name)?, owned(value)?));
            }
        }
        Ok(Some(members))
    }

    /// The text without what the style puts before it: `.` of a label, `;name=` of a matrix.
    fn without_sign<'a>(&self, name: &str, text: &'a str) -> &'a str {
        match self.style {
            Style::Label => text.strip_prefix('.').unwrap_or(text),
            Style::Matrix => {
                let text = text.strip_prefix(';').unwrap_or(text);
                let is_loose = self.types.has(ValueType::Object) && self.explode;
                let value = text.strip_prefix(name).and_then(|rest| rest.strip_prefix('='));
                if is_loose { text } else { value.unwrap_or(text) }
            }
            _ => text,
        }
    }
}

type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);

fn split(text: &str, delimiter: char, is_split: bool) -> impl Iterator<Item = &str> {
    let mut whole = (!is_split).then_some(text).into_iter();
    let mut parts = is_split.then(|| text.split(delimiter)).into_iter().flatten();
    std::iter::from_fn(move || whole.next().or_else(|| parts.next()))
}

/// The items of a header may have spaces around them (RFC 9110 section 5.6.1).
fn trimmed(part: &str, encoding: Encoding) -> &str {
    if encoding == Encoding::Plain { part.trim_matches([' ', '\t']) } else { part }
}

fn decoded(text: &str, encoding: Encoding) -> Result<Cow<'_, str>, Unreadable> {
    encoding.decode(text).ok_or_else(|| "must be UTF-8".to_owned())
}

fn repeated(texts: &[&str]) -> Unreadable {
    format!("is given {} times, and may be given once", texts.len())
}

/// The values that `text` may be: of the type that it looks like, and text.
fn scalars(text: &str, types: Types, found: &mut Candidates) {
    let value = scalar(text, types);
    let is_text = value.is_string();
    found.push(value);
    if !is_text && types.has(ValueType::String) {
        found.push(text.into());
    }
}

fn scalar(text: &str, types: Types) -> Value {
    let is_number = types.has(ValueType::Integer) || types.has(ValueType::Number);
    match text {
        "true" | "false" if types.has(ValueType::Boolean) => (text == "true").into(),
        "null" | "" if types.has(ValueType::Null) => Value::Null,
        _ if is_number => number(text).map_or_else(|| text.into(), Value::Number),
        _ => text.into(),
    }
}

/// A number in JSON's form (RFC 8259 section 6), which has no infinity, no NaN and nothing around it.
fn number(text: &str) -> Option<Number> {
    let begins = text.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    let ends = text.ends_with(|last: char| last.is_ascii_digit());
    (begins && ends).then(|| serde_json::from_str(text).ok()).flatten()
}
