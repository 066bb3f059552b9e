//! The path and query that go upstream: a template, or the first regular expression that matches with its replacement.

use crate::exchange::Exchange;
use crate::http::path;
use crate::variable::{Part, Template, Variable, with_buffer};
use ::http::uri::PathAndQuery;
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use regex::{Captures, Regex};

/// What may not stand in a path or query as it is (RFC 3986, section 3.3). Percent signs are looked at apart.
const NOT_IN_URI: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// What is encoded of a value that a client chose: all but unreserved characters.
const NOT_IN_VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How the URI is made.
pub enum UriRewrite {
    None,
    Template(Template),
    Regex(Vec<(Regex, Template)>),
}

/// What came of it.
pub struct Rewritten {
    pub uri: Option<PathAndQuery>,
    /// What the groups of the expression that matched have matched, from the whole match (0) on.
    pub groups: Vec<String>,
}

/// The URI would not be one, or would climb out of its place.
pub struct Invalid;

impl UriRewrite {
    /// Parses the settings `uri` and `regex_uri`; the former wins.
    pub fn build(uri: Option<&str>, regex_uri: Option<&[String]>) -> Result<Self, String> {
        let regexes = regex_uri.map(regexes).transpose()?;
        let Some(uri) = uri else {
            return Ok(regexes.map_or(UriRewrite::None, UriRewrite::Regex));
        };
        let template = Template::parse(uri).map_err(|why| format!("uri: {why}"))?;
        if !uri.starts_with('/')
            && !matches!(template.parts().first(), Some(Part::Variable(first)) if first.is_encoded())
        {
            return Err(format!("uri: {uri:?} must begin with /"));
        }
        match template.largest_group() {
            Some(group) => Err(format!("uri: ${group} stands for nothing here; use it in regex_uri")),
            None => Ok(UriRewrite::Template(template.map_text(escape))),
        }
    }

    /// How many groups any expression has.
    pub fn groups(&self) -> usize {
        match self {
            UriRewrite::Regex(pairs) => {
                pairs.iter().map(|(regex, _)| regex.captures_len() - 1).max().unwrap_or_default()
            }
            _ => 0,
        }
    }

    /// Makes the URI for `exchange`.
    pub fn apply(&self, exchange: &Exchange) -> Result<Rewritten, Invalid> {
        match self {
            UriRewrite::None => Ok(Rewritten { uri: None, groups: Vec::new() }),
            UriRewrite::Template(template) => with_buffer(|buffer| {
                write(template, exchange, None, buffer);
                let uri = finish(buffer, exchange, template)?;
                Ok(Rewritten { uri: Some(uri), groups: Vec::new() })
            }),
            UriRewrite::Regex(pairs) => {
                let path = exchange.path.as_str();
                let found =
                    pairs.iter().find_map(|(regex, template)| Some((regex.captures(path)?, template)));
                let Some((captures, template)) = found else {
                    return Ok(Rewritten { uri: None, groups: Vec::new() });
                };
                let uri = with_buffer(|buffer| {
                    let (start, end) = captures.get(0).map_or((0, 0), |all| (all.start(), all.end()));
                    buffer.push_str(path.get(..start).unwrap_or_default());
                    write(template, exchange, Some(&captures), buffer);
                    buffer.push_str(path.get(end..).unwrap_or_default());
                    finish(buffer, exchange, template)
                })?;
                let group =
                    |group: Option<regex::Match<'_>>| group.map_or("", |group| group.as_str()).to_owned();
                Ok(Rewritten { uri: Some(uri), groups: captures.iter().map(group).collect() })
            }
        }
    }
}

fn regexes(pairs: &[String]) -> Result<Vec<(Regex, Template)>, String> {
    let (chunks, rest) = pairs.as_chunks::<2>();
    if !rest.is_empty() || chunks.is_empty() {
        return Err(format!(
            "regex_uri: must have pairs of an expression and a template, and has {} items",
            pairs.len()
        ));
    }
    let mut built = Vec::with_capacity(chunks.len());
    for [pattern, template] in chunks {
        let regex = Regex::new(pattern).map_err(|error| format!("regex_uri: {error}"))?;
        let template = Template::parse(template).map_err(|why| format!("regex_uri: {why}"))?;
        if let Some(group) = template.largest_group().filter(|group| *group >= regex.captures_len()) {
            return Err(format!("regex_uri: there is no group ${group} in {pattern:?}"));
        }
        built.push((regex, template.map_text(escape)));
    }
    Ok(built)
}

fn write(template: &Template, exchange: &Exchange, captures: Option<&Captures<'_>>, buffer: &mut String) {
    for part in template.parts() {
        match part {
            Part::Text(text) => buffer.push_str(text),
            Part::Variable(variable) if variable.is_encoded() => _ = variable.write(exchange, buffer),
            Part::Variable(variable) => with_buffer(|value| {
                variable.write(exchange, value);
                buffer.extend(utf8_percent_encode(value, NOT_IN_VALUE));
            }),
            // Groups are parts of the normalised path, which is encoded already.
            Part::Group(number) => {
                buffer.push_str(
                    captures.and_then(|groups| groups.get(*number)).map_or("", |group| group.as_str()),
                );
            }
        }
    }
}

/// Adds the client's query, and checks the whole.
fn finish(buffer: &mut String, exchange: &Exchange, template: &Template) -> Result<PathAndQuery, Invalid> {
    if !buffer.starts_with('/') {
        buffer.insert(0, '/');
    }
    let has_query_already = template.parts().contains(&Part::Variable(Variable::RequestUri));
    if let Some(query) = exchange.request.uri.query().filter(|query| !query.is_empty() && !has_query_already)
    {
        buffer.push(if buffer.contains('?') { '&' } else { '?' });
        buffer.push_str(query);
    }
    let uri = PathAndQuery::try_from(buffer.as_str()).map_err(|_| Invalid)?;
    // A value that a client chose may be `..`, in any spelling, and would then lead out of the template's path.
    let normalised = path::normalise(uri.path()).map_err(|_| Invalid)?;
    match normalised.matches('/').count() == uri.path().matches('/').count() {
        true => Ok(uri),
        false => Err(Invalid),
    }
}

/// Encodes what may not stand in a URI, as the operator meant it; `%41` stays as it is.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut pieces = text.split('%');
    escaped.extend(pieces.next().into_iter().flat_map(|first| utf8_percent_encode(first, NOT_IN_URI)));
    for piece in pieces {
        let is_encoded =
            piece.as_bytes().first_chunk::<2>().is_some_and(|pair| pair.iter().all(u8::is_ascii_hexdigit));
        escaped.push_str(if is_encoded { "%" } else { "%25" });
        escaped.extend(utf8_percent_encode(piece, NOT_IN_URI));
    }
    escaped
}
