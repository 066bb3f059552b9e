//! Path patterns: their syntax, and the order in which patterns that match the same path are tried.
//!
//! A pattern is read when its route comes or goes; its literal text is spelled as `http::path` spells requests.
//! How patterns are stored and matched is `tree`'s.
//!
//! `/a` is exact, `/a/*` and `/foo*` are prefixes, `:name` stands for a whole segment and `{name}` for any part of
//! one; both take one or more bytes and never a slash.

use crate::http::path::{self, PathError};

/// The most segments that a pattern may have; it bounds the depth of a search.
pub const MAXIMUM_SEGMENTS: usize = 64;

/// Why a path pattern or a host of a route is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    #[error("a route needs at least one path pattern; \"/*\" matches every path")]
    Missing,
    #[error("the path pattern is empty; \"/*\" matches every path")]
    Empty,
    #[error("the path pattern \"{0}\" must start with \"/\"")]
    NotAbsolute(String),
    #[error(
        "the path pattern \"{0}\" has a \"*\" that is not at its end; use \":name\" or \"{{name}}\" for one segment"
    )]
    MisplacedStar(String),
    #[error("the path pattern \"{0}\" has a \"*\" right after a parameter; put \"/\" between them")]
    StarAfterParameter(String),
    #[error(
        "the path pattern \"{0}\" has a parameter without a proper name; write \":name\" with letters, digits, \"_\" \
         and \"-\" for a whole segment, \"{{name}}\" for a part of one"
    )]
    ParameterName(String),
    #[error("the path pattern \"{0}\" has a \"{{\" or \"}}\" without its other half in the same segment")]
    Brace(String),
    #[error(
        "the path pattern \"{0}\" has a \".\" or \"..\" segment; requests have none when they are routed"
    )]
    DotSegment(String),
    #[error("the path pattern \"{0}\" has more than {MAXIMUM_SEGMENTS} segments")]
    TooDeep(String),
    #[error("the path pattern \"{pattern}\" can match no request: {source}")]
    Text { pattern: String, source: PathError },
    #[error(
        "the host \"{0}\" must be a name, an address or \"*.\" before a name, without scheme, port or path"
    )]
    Host(String),
}

/// What one segment of a pattern takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    /// This text.
    Literal(String),
    /// Any text, not empty.
    Parameter,
    /// Literal text around and between parts that take any text, not empty.
    Template(Template),
    /// This text and whatever follows, slashes too; always the last.
    Rest(String),
}

/// `before{a}between{b}after`: each text may be empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    pub before: String,
    pub between: Vec<String>,
    pub after: String,
}

/// A pattern as segments, the text between slashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    pub segments: Vec<Segment>,
}

/// How precise a segment is: its kind, then how much literal text it demands. Kinds rise in precision.
pub(super) type Precision = (u8, u32);

impl Pattern {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if text.is_empty() {
            return Err(PatternError::Empty);
        }
        let Some(path) = text.strip_prefix('/') else {
            return Err(PatternError::NotAbsolute(text.to_owned()));
        };
        let (path, is_prefix) = match path.strip_suffix('*') {
            Some(path) => (path, true),
            None => (path, false),
        };
        if path.contains('*') {
            return Err(PatternError::MisplacedStar(text.to_owned()));
        }
        let mut segments =
            path.split('/').map(|segment| parse_segment(text, segment)).collect::<Result<Vec<_>, _>>()?;
        if is_prefix {
            match segments.pop() {
                Some(Segment::Literal(literal)) => segments.push(Segment::Rest(literal)),
                _ => return Err(PatternError::StarAfterParameter(text.to_owned())),
            }
        }
        if segments.len() > MAXIMUM_SEGMENTS {
            return Err(PatternError::TooDeep(text.to_owned()));
        }
        Ok(Self { segments })
    }

    /// The path that this pattern is, if it has neither parameters nor a `*`.
    pub fn exact(&self) -> Option<String> {
        let mut exact = String::new();
        for segment in &self.segments {
            let Segment::Literal(literal) = segment else { return None };
            exact.push('/');
            exact.push_str(literal);
        }
        Some(exact)
    }

    /// How precise the pattern is, segment by segment; the larger goes before.
    pub fn precision(&self) -> Box<[Precision]> {
        self.segments.iter().map(Segment::precision).collect()
    }

    /// Bytes before the first parameter or `*`.
    pub fn literal_prefix(&self) -> usize {
        let mut length = 0;
        for segment in &self.segments {
            length += 1;
            match segment {
                Segment::Literal(literal) => length += literal.len(),
                Segment::Parameter => break,
                Segment::Template(template) => return length + template.before.len(),
                Segment::Rest(literal) => return length + literal.len(),
            }
        }
        length
    }
}

impl Segment {
    fn precision(&self) -> Precision {
        let (kind, literal) = match self {
            Self::Literal(_) => (3, 0),
            Self::Template(template) => {
                let between: usize = template.between.iter().map(String::len).sum();
                (2, template.before.len() + between + template.after.len())
            }
            Self::Parameter => (1, 0),
            Self::Rest(literal) => (0, literal.len()),
        };
        (kind, u32::try_from(literal).unwrap_or(u32::MAX))
    }
}

fn parse_segment(pattern: &str, segment: &str) -> Result<Segment, PatternError> {
    if let Some(name) = segment.strip_prefix(':') {
        let is_proper = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if name.is_empty() || !name.bytes().all(is_proper) {
            return Err(PatternError::ParameterName(pattern.to_owned()));
        }
        return Ok(Segment::Parameter);
    }
    let mut literals = Vec::new();
    let mut rest = segment;
    while let Some((literal, tail)) = rest.split_once('{') {
        let Some((name, tail)) = tail.split_once('}') else {
            return Err(PatternError::Brace(pattern.to_owned()));
        };
        if name.contains('{') {
            return Err(PatternError::Brace(pattern.to_owned()));
        }
        if name.is_empty() {
            return Err(PatternError::ParameterName(pattern.to_owned()));
        }
        literals.push(parse_literal(pattern, literal)?);
        rest = tail;
    }
    let after = parse_literal(pattern, rest)?;
    let mut literals = literals.into_iter();
    let Some(before) = literals.next() else {
        return match after.as_str() {
            "." | ".." => Err(PatternError::DotSegment(pattern.to_owned())),
            _ => Ok(Segment::Literal(after)),
        };
    };
    let between: Vec<String> = literals.collect();
    if before.is_empty() && between.is_empty() && after.is_empty() {
        return Ok(Segment::Parameter);
    }
    Ok(Segment::Template(Template { before, between, after }))
}

fn parse_literal(pattern: &str, literal: &str) -> Result<String, PatternError> {
    if literal.contains('}') {
        return Err(PatternError::Brace(pattern.to_owned()));
    }
    match path::normalise_literal(literal) {
        Ok(spelled) => Ok(spelled.into_owned()),
        Err(source) => Err(PatternError::Text { pattern: pattern.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(text: &str) -> Segment {
        Segment::Literal(text.to_owned())
    }

    fn template(before: &str, between: &[&str], after: &str) -> Segment {
        let between = between.iter().map(|text| (*text).to_owned()).collect();
        Segment::Template(Template { before: before.to_owned(), between, after: after.to_owned() })
    }

    #[test]
    fn reads_every_kind_of_segment() {
        for (text, expected) in [
            ("/", vec![literal("")]),
            ("/a/b", vec![literal("a"), literal("b")]),
            ("/a/", vec![literal("a"), literal("")]),
            ("/*", vec![Segment::Rest(String::new())]),
            ("/a/*", vec![literal("a"), Segment::Rest(String::new())]),
            ("/foo*", vec![Segment::Rest("foo".to_owned())]),
            ("/a/:id", vec![literal("a"), Segment::Parameter]),
            ("/a/{id}", vec![literal("a"), Segment::Parameter]),
            ("/{user.id}/x", vec![Segment::Parameter, literal("x")]),
            ("/{id}.json", vec![template("", &[], ".json")]),
            ("/v{a}-{b}", vec![template("v", &["-"], "")]),
            ("/{a}{b}", vec![template("", &[""], "")]),
            ("/v1/things:list", vec![literal("v1"), literal("things:list")]),
            ("/caf%c3%a9 é", vec![literal("caf%C3%A9%20%C3%A9")]),
        ] {
            assert_eq!(Pattern::parse(text).map(|pattern| pattern.segments), Ok(expected), "{text}");
        }
    }

    #[test]
    fn refuses_patterns_that_cannot_mean_anything() {
        let own = str::to_owned;
        for (text, expected) in [
            ("", PatternError::Empty),
            ("a", PatternError::NotAbsolute(own("a"))),
            ("*", PatternError::NotAbsolute(own("*"))),
            ("/a/*/b", PatternError::MisplacedStar(own("/a/*/b"))),
            ("/a**", PatternError::MisplacedStar(own("/a**"))),
            ("/{path*}", PatternError::MisplacedStar(own("/{path*}"))),
            ("/:a*", PatternError::StarAfterParameter(own("/:a*"))),
            ("/{a}*", PatternError::StarAfterParameter(own("/{a}*"))),
            ("/a/:", PatternError::ParameterName(own("/a/:"))),
            ("/a/:id.json", PatternError::ParameterName(own("/a/:id.json"))),
            ("/a/{}", PatternError::ParameterName(own("/a/{}"))),
            ("/a/{id", PatternError::Brace(own("/a/{id"))),
            ("/a/id}", PatternError::Brace(own("/a/id}"))),
            ("/a/{{id}}", PatternError::Brace(own("/a/{{id}}"))),
            ("/a/../b", PatternError::DotSegment(own("/a/../b"))),
            ("/a?b", PatternError::Text { pattern: own("/a?b"), source: PathError::Delimiter }),
        ] {
            assert_eq!(Pattern::parse(text), Err(expected), "{text}");
        }
        let deep = "/a".repeat(MAXIMUM_SEGMENTS + 1);
        assert_eq!(Pattern::parse(&deep), Err(PatternError::TooDeep(deep.clone())));
    }

    #[test]
    fn says_in_words_what_to_write_instead() {
        let message = PatternError::MisplacedStar("/a/*/b".to_owned()).to_string();
        assert_eq!(
            message,
            "the path pattern \"/a/*/b\" has a \"*\" that is not at its end; use \":name\" or \"{name}\" for one segment"
        );
    }
}
