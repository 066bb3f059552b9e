//! The body of a tool's request: JSON, a form, multipart, text or bytes, by the media type that the tool names
//! (OpenAPI 3.1.1 sections 4.8.14 and 4.8.15).

use super::escape::Place;
use super::multipart;
use super::style::{self, Shape};
use crate::snapshot::{BodyArguments, Encoding, Location, Parameter, Style, ToolBody};
use ::http::{HeaderValue, Method};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};

/// How arguments become a body.
pub struct BodyTemplate {
    kind: Kind,
    content_type: HeaderValue,
    definition: ToolBody,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Json,
    Form,
    Multipart,
    Text,
    Bytes,
}

/// A body, ready to be sent.
pub struct Made {
    pub content_type: HeaderValue,
    pub bytes: Vec<u8>,
}

const PADDING_AS_IT_COMES: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, PADDING_AS_IT_COMES);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, PADDING_AS_IT_COMES);

/// A media type without its parameters, in lower case.
pub fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether a media type is JSON or built on it.
pub fn is_json(media_type: &str) -> bool {
    let essence = essence(media_type);
    essence == "application/json" || essence == "text/json" || essence.ends_with("+json")
}

/// Bytes from base64 in either alphabet, with or without padding, line breaks and the head of a data URL.
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    let text = match text.trim().strip_prefix("data:") {
        Some(url) => url.split_once(";base64,")?.1,
        None => text,
    };
    let text: String = text.split_ascii_whitespace().collect();
    STANDARD.decode(&text).or_else(|_| URL_SAFE.decode(&text)).ok()
}

impl BodyTemplate {
    /// Builds the template. Each problem comes with a JSON pointer into `definition`.
    pub fn build(definition: &ToolBody) -> Result<Self, Vec<(String, String)>> {
        let mut problems = Vec::new();
        let content_type = HeaderValue::from_str(&definition.media_type);
        if content_type.is_err() || !definition.media_type.contains('/') {
            problems.push(("/media_type".into(), format!("{:?} is not a media type", definition.media_type)));
        }
        for (name, encoding) in &definition.encoding {
            let values = encoding.headers.iter().flat_map(|(name, value)| [name, value]);
            if values.chain(&encoding.content_type).any(|text| text.contains(char::is_control)) {
                let at = name.replace('~', "~0").replace('/', "~1");
                problems.push((format!("/encoding/{at}"), "holds control characters".into()));
            }
        }
        let kind = match essence(&definition.media_type).as_str() {
            _ if definition.binary => Kind::Bytes,
            _ if is_json(&definition.media_type) => Kind::Json,
            "application/x-www-form-urlencoded" => Kind::Form,
            essence if essence.starts_with("multipart/") => Kind::Multipart,
            _ => Kind::Text,
        };
        match content_type {
            Ok(content_type) if problems.is_empty() => {
                Ok(Self { kind, content_type, definition: definition.clone() })
            }
            _ => Err(problems),
        }
    }

    pub const fn arguments(&self) -> &BodyArguments {
        &self.definition.arguments
    }

    /// The body for `arguments`, none where they make none. Every problem names the argument.
    pub fn make(&self, arguments: &Map<String, Value>, method: &Method) -> Result<Option<Made>, Vec<String>> {
        let Some(content) = self.content(arguments, method) else { return Ok(None) };
        let mut content_type = self.content_type.clone();
        let bytes = match self.kind {
            Kind::Json => content.json().into_bytes(),
            Kind::Form => self.form(&content).into_bytes(),
            Kind::Multipart => {
                let (boundary, bytes) = multipart::write(&self.parts(&content)?);
                let with_boundary = format!("{}; boundary={boundary}", essence(&self.definition.media_type));
                content_type = HeaderValue::from_str(&with_boundary)
                    .map_err(|_| vec!["the body's media type cannot be sent".to_owned()])?;
                bytes
            }
            Kind::Text => content.text().into_bytes(),
            Kind::Bytes => {
                let text = content.text();
                let name = content.argument();
                from_base64(&text)
                    .ok_or_else(|| vec![format!("`{name}` must be base64: it is sent as bytes")])?
            }
        };
        Ok(Some(Made { content_type, bytes }))
    }

    fn content<'a>(&'a self, arguments: &'a Map<String, Value>, method: &Method) -> Option<Content<'a>> {
        match &self.definition.arguments {
            BodyArguments::Whole(name) => Some(Content::Whole(name, arguments.get(name)?)),
            BodyArguments::Properties(properties) => {
                let given = properties.iter().filter_map(|property| {
                    Some(Member {
                        argument: &property.argument,
                        name: &property.name,
                        value: arguments.get(&property.argument)?,
                    })
                });
                let given: Vec<_> = given.collect();
                // A body whose every property is optional is still a body where the method calls for one.
                let has_body =
                    !given.is_empty() || matches!(*method, Method::POST | Method::PUT | Method::PATCH);
                has_body.then_some(Content::Members(given))
            }
        }
    }

    fn form(&self, content: &Content<'_>) -> String {
        let Some(members) = content.members() else { return content.text() };
        let pairs = members.iter().flat_map(|member| self.form_pairs(member));
        pairs.collect::<Vec<_>>().join("&")
    }

    fn form_pairs(&self, member: &Member<'_>) -> Vec<String> {
        let encoding = self.definition.encoding.get(member.name);
        let style = encoding.and_then(|encoding| encoding.style);
        let as_json =
            style.is_none() && encoding.and_then(|it| it.content_type.as_deref()).is_some_and(is_json);
        let style = style.unwrap_or(Style::Form);
        let explode = encoding.and_then(|encoding| encoding.explode).unwrap_or(style == Style::Form);
        let shape = match member.value {
            Value::Null => return Vec::new(),
            value if as_json => Shape::Plain(value.to_string()),
            // Without a style an object is JSON (section 4.8.15.1), and so is what no style can carry.
            value @ Value::Object(_) if encoding.is_none_or(|it| it.style.is_none()) => {
                Shape::Plain(value.to_string())
            }
            Value::Array(items) if Shape::of(member.value, style).is_err() => {
                Shape::List(items.iter().map(Value::to_string).collect())
            }
            value => match Shape::of(value, style) {
                Ok(Some(shape)) => shape,
                Ok(None) => return Vec::new(),
                Err(_) => Shape::Plain(value.to_string()),
            },
        };
        if shape.is_empty() {
            return Vec::new();
        }
        let parameter = Parameter {
            argument: String::new(),
            location: Location::Query,
            name: member.name.to_owned(),
            style,
            explode,
            allow_reserved: false,
            media_type: None,
        };
        style::pairs(&parameter, &shape, Place::Form)
    }

    fn parts<'a>(&'a self, content: &Content<'a>) -> Result<Vec<multipart::Part<'a>>, Vec<String>> {
        let Some(members) = content.members() else {
            return Err(vec![format!("`{}` must be an object", content.argument())]);
        };
        let mut parts = Vec::new();
        let mut problems = Vec::new();
        for member in &members {
            let encoding = self.definition.encoding.get(member.name);
            let values = match member.value {
                Value::Null => continue,
                // Each item of a list is a part of its own (section 4.8.15.1).
                Value::Array(items) => items.iter().collect(),
                value => vec![value],
            };
            for value in values {
                match part(member, value, encoding) {
                    Ok(part) => parts.push(part),
                    Err(why) => problems.push(why),
                }
            }
        }
        if problems.is_empty() { Ok(parts) } else { Err(problems) }
    }
}

fn part<'a>(
    member: &Member<'a>,
    value: &Value,
    encoding: Option<&'a Encoding>,
) -> Result<multipart::Part<'a>, String> {
    let is_file = encoding.is_some_and(|encoding| encoding.binary);
    let named = encoding.and_then(|encoding| encoding.content_type.as_deref());
    // An Encoding Object may list several types or patterns; the first that is a type is the one sent.
    let named = named.and_then(|types| types.split(',').map(str::trim).find(|one| !one.contains('*')));
    let bytes = match (style::plain(value), is_file) {
        (Some(text), true) => from_base64(&text)
            .ok_or_else(|| format!("`{}` must be base64: it is sent as a file", member.argument))?,
        (Some(text), false) if !named.is_some_and(is_json) => text.into_bytes(),
        _ => value.to_string().into_bytes(),
    };
    let nested = value.is_object() || value.is_array();
    let content_type = match (named, is_file, nested) {
        (Some(named), ..) => Some(named),
        (None, true, _) => Some("application/octet-stream"),
        (None, false, true) => Some("application/json"),
        (None, false, false) => None,
    };
    Ok(multipart::Part {
        name: member.name,
        is_file,
        content_type,
        headers: encoding.map(|encoding| &encoding.headers),
        bytes,
    })
}

/// One property of a body.
struct Member<'a> {
    argument: &'a str,
    name: &'a str,
    value: &'a Value,
}

/// What the arguments say of the body.
enum Content<'a> {
    /// The argument's name, and its value that is the whole body.
    Whole(&'a str, &'a Value),
    Members(Vec<Member<'a>>),
}

impl<'a> Content<'a> {
    fn argument(&self) -> &'a str {
        match self {
            Content::Whole(name, _) => name,
            Content::Members(members) => members.first().map_or("body", |member| member.argument),
        }
    }

    /// As JSON; nulls stay, since in a body they mean something.
    fn json(&self) -> String {
        match self {
            Content::Whole(_, value) => value.to_string(),
            Content::Members(members) => {
                let object = members.iter().map(|member| (member.name.to_owned(), member.value.clone()));
                Value::Object(object.collect()).to_string()
            }
        }
    }

    /// As text: a string as it is, the only property likewise, anything else as JSON.
    fn text(&self) -> String {
        let value = match self {
            Content::Whole(_, value) => Some(*value),
            Content::Members(members) => match members.as_slice() {
                [] => return String::new(),
                [member] => Some(member.value),
                _ => None,
            },
        };
        value.and_then(style::plain).unwrap_or_else(|| self.json())
    }

    /// The properties of an object; none where the body is no object.
    fn members(&self) -> Option<Vec<Member<'a>>> {
        match self {
            Content::Whole(argument, Value::Object(object)) => {
                Some(object.iter().map(|(name, value)| Member { argument, name, value }).collect())
            }
            Content::Whole(..) => None,
            Content::Members(members) => {
                let same = |member: &Member<'a>| Member { ..*member };
                Some(members.iter().map(same).collect())
            }
        }
    }
}
