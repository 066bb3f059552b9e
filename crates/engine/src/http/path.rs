//! One spelling of a request's path, so that router, plugins and upstream can never disagree about it.
//!
//! Owns the rules of RFC 3986 section 6.2.2 (case and percent-encoding) and 5.2.4 (dot segments). The query is not
//! touched. It runs once, after `framing` and before the router; route patterns go through [`normalise_literal`], so
//! both sides of a comparison are spelled alike. Encoded slashes and backslashes stay encoded: decoding them would
//! move segments after the router has looked. What would become a dot segment in an upstream that does decode them,
//! or that reads `..;x` as `..`, is refused.

use crate::snapshot::{DoubledSlashes, EncodedSlashes, PathRules};
use std::borrow::Cow;

/// Why a path is refused. Each answers 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    #[error("the path must start with \"/\"")]
    NotAbsolute,
    #[error("the path has a control character; percent-encode it")]
    Control,
    #[error("the path has an encoded NUL (%00)")]
    Nul,
    #[error("the path has a \"%\" that two hexadecimal digits do not follow; write a literal one as %25")]
    Percent,
    #[error("the path has a \"?\" or \"#\"; write a literal one as %3F or %23")]
    Delimiter,
    #[error("the path has an encoded slash (%2F), which is not served here")]
    EncodedSlash,
    #[error("the path hides a dot segment behind an encoded slash, an encoded backslash or a \";\"")]
    HiddenDotSegment,
}

impl PathError {
    /// The stable code of this error, for the error header, logs and documentation.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotAbsolute => "path_not_absolute",
            Self::Control => "path_control_character",
            Self::Nul => "path_encoded_nul",
            Self::Percent => "path_invalid_percent_encoding",
            Self::Delimiter => "path_delimiter",
            Self::EncodedSlash => "path_encoded_slash",
            Self::HiddenDotSegment => "path_hidden_dot_segment",
        }
    }
}

/// What to do with a raw byte of a path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// May stand as it is.
    Plain,
    /// Starts a percent-encoding.
    Percent,
    /// May not stand raw and is percent-encoded.
    Encode,
    /// Would end the path.
    Delimiter,
    /// Is never legal.
    Control,
}

const fn classify(byte: u8) -> Class {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => Class::Plain,
        b'/' | b':' | b'@' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' => {
            Class::Plain
        }
        b'%' => Class::Percent,
        b'?' | b'#' => Class::Delimiter,
        0x00..=0x1f | 0x7f => Class::Control,
        _ => Class::Encode,
    }
}

const fn classes() -> [Class; 256] {
    let mut table = [Class::Control; 256];
    let mut byte = 0u8;
    loop {
        // The index cannot leave the table: a byte has 256 values.
        #[allow(clippy::indexing_slicing)]
        {
            table[byte as usize] = classify(byte);
        }
        if byte == u8::MAX {
            return table;
        }
        byte += 1;
    }
}

static CLASSES: [Class; 256] = classes();

/// `classify` by table: one load a byte on the request path.
fn class(byte: u8) -> Class {
    CLASSES.get(usize::from(byte)).copied().unwrap_or(Class::Control)
}

/// The path in its one spelling; borrowed when it already has it.
///
/// `path` is a request's path without query: it starts with `/`, or is the `*` of OPTIONS. Encoded unreserved
/// characters are decoded, other encodings upper-cased, characters that may not stand raw encoded, dot segments
/// removed; doubled slashes stay. The result normalises to itself and holds no `.` or `..` segment.
///
/// # Errors
/// A path that is not absolute, has control characters, `%00`, a malformed encoding, or hides a dot segment.
pub fn normalise(path: &str) -> Result<Cow<'_, str>, PathError> {
    if path == "*" {
        return Ok(Cow::Borrowed(path));
    }
    if !path.starts_with('/') {
        return Err(PathError::NotAbsolute);
    }
    let spelled = normalise_literal(path)?;
    let mut has_dot_segment = false;
    // Most paths have no segment that starts with a dot and no encoding, and are done here.
    if spelled.contains("/.") || spelled.contains('%') {
        for segment in spelled.split('/') {
            if hides_dot_segment(segment) {
                return Err(PathError::HiddenDotSegment);
            }
            has_dot_segment |= matches!(segment, "." | "..");
        }
    }
    if has_dot_segment { Ok(Cow::Owned(remove_dot_segments(&spelled))) } else { Ok(spelled) }
}

/// The path in its one spelling, by the rules that the configuration chooses. Doubled slashes are merged before dot
/// segments are removed, as nginx does.
///
/// # Errors
/// As [`normalise`], and an encoded slash where the rules refuse it.
pub fn normalise_by(path: &str, rules: PathRules) -> Result<Cow<'_, str>, PathError> {
    let normal = match rules.doubled_slashes {
        DoubledSlashes::Merge if path.contains("//") => {
            Cow::Owned(normalise(&merge_slashes(path))?.into_owned())
        }
        _ => normalise(path)?,
    };
    if rules.encoded_slashes == EncodedSlashes::Refuse && normal.contains("%2F") {
        return Err(PathError::EncodedSlash);
    }
    Ok(normal)
}

fn merge_slashes(path: &str) -> String {
    let mut merged = String::with_capacity(path.len());
    for letter in path.chars() {
        if letter != '/' || !merged.ends_with('/') {
            merged.push(letter);
        }
    }
    merged
}

/// A piece of a path in the same spelling, without looking at segments; for the literal text of route patterns.
///
/// # Errors
/// As [`normalise`], but for the two that are about whole paths.
pub fn normalise_literal(text: &str) -> Result<Cow<'_, str>, PathError> {
    if text.bytes().all(|byte| class(byte) == Class::Plain) {
        return Ok(Cow::Borrowed(text));
    }
    let spelled = spell(text)?;
    if spelled == text { Ok(Cow::Borrowed(text)) } else { Ok(Cow::Owned(spelled)) }
}

fn spell(text: &str) -> Result<String, PathError> {
    let mut spelled = String::with_capacity(text.len() + 16);
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match class(byte) {
            Class::Plain => spelled.push(char::from(byte)),
            Class::Encode => push_encoded(&mut spelled, byte),
            Class::Delimiter => return Err(PathError::Delimiter),
            Class::Control => return Err(PathError::Control),
            Class::Percent => {
                let high = bytes.next().and_then(hexadecimal).ok_or(PathError::Percent)?;
                let low = bytes.next().and_then(hexadecimal).ok_or(PathError::Percent)?;
                match high << 4 | low {
                    0 => return Err(PathError::Nul),
                    decoded if is_unreserved(decoded) => spelled.push(char::from(decoded)),
                    decoded => push_encoded(&mut spelled, decoded),
                }
            }
        }
    }
    Ok(spelled)
}

/// RFC 3986 section 2.3: what means the same encoded and not.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn hexadecimal(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

fn push_encoded(spelled: &mut String, byte: u8) {
    let digit = |half: u8| char::from(if half < 10 { b'0' + half } else { b'A' + half - 10 });
    spelled.push('%');
    spelled.push(digit(byte >> 4));
    spelled.push(digit(byte & 0x0f));
}

/// Whether an upstream that decodes slashes, or drops what follows a `;`, would find `.` or `..` in this segment.
fn hides_dot_segment(segment: &str) -> bool {
    // After spelling, encoded slashes and backslashes are always `%2F` and `%5C`, and an encoded `;` is `%3B`.
    let is_dot = |part: &str| {
        let name = part.split(';').next().and_then(|name| name.split("%3B").next());
        matches!(name, Some("." | ".."))
    };
    segment.contains(['%', ';']) && segment.split("%2F").flat_map(|part| part.split("%5C")).any(is_dot)
}

/// RFC 3986 section 5.2.4 for an absolute path; an empty segment is a segment like another.
fn remove_dot_segments(path: &str) -> String {
    let mut kept = String::with_capacity(path.len());
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        if segment == ".." {
            kept.truncate(kept.rfind('/').unwrap_or(0));
        }
        if !matches!(segment, "." | "..") {
            kept.push('/');
            kept.push_str(segment);
        } else if segments.peek().is_none() {
            kept.push('/');
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spells_a_path_in_one_way() {
        for (given, expected) in [
            ("/", "/"),
            ("*", "*"),
            ("/a/b", "/a/b"),
            ("/a//b/", "/a//b/"),
            ("/%7euser/%41%2d%5F%2E", "/~user/A-_."),
            ("/a%2fb%5cc", "/a%2Fb%5Cc"),
            ("/%e2%82%ac", "/%E2%82%AC"),
            ("/€", "/%E2%82%AC"),
            ("/a b{c}\"<>|\\^`[]", "/a%20b%7Bc%7D%22%3C%3E%7C%5C%5E%60%5B%5D"),
            ("/100%25", "/100%25"),
            ("/%252e%252e/a", "/%252e%252e/a"),
            ("/a/./b/../c", "/a/c"),
            ("/a/%2e/b/%2E%2e/c", "/a/c"),
            ("/a/..", "/"),
            ("/a/b/..", "/a/"),
            ("/a/.", "/a/"),
            ("/..", "/"),
            ("/../../a", "/a"),
            ("/a//../b", "/a/b"),
            ("/.well-known/ai-plugin.json", "/.well-known/ai-plugin.json"),
            ("/a/...", "/a/..."),
            ("/a/..b/.c", "/a/..b/.c"),
            ("/v1/x:get;v=1,2@3", "/v1/x:get;v=1,2@3"),
            ("/@scope%2Fname", "/@scope%2Fname"),
            ("/line%0abreak", "/line%0Abreak"),
        ] {
            assert_eq!(normalise(given).as_deref(), Ok(expected), "{given}");
        }
    }

    #[test]
    fn refuses_what_cannot_be_read_in_one_way() {
        for (given, expected) in [
            ("", PathError::NotAbsolute),
            ("a/b", PathError::NotAbsolute),
            ("/a\0", PathError::Control),
            ("/a\r\nb", PathError::Control),
            ("/a\x7f", PathError::Control),
            ("/a%00", PathError::Nul),
            ("/a%", PathError::Percent),
            ("/a%2", PathError::Percent),
            ("/a%zz", PathError::Percent),
            ("/a%%41", PathError::Percent),
            ("/a%+1", PathError::Percent),
            ("/a?b", PathError::Delimiter),
            ("/a#b", PathError::Delimiter),
            ("/a/..%2fb", PathError::HiddenDotSegment),
            ("/a/%2e%2e%2Fb", PathError::HiddenDotSegment),
            ("/a/b%2f..", PathError::HiddenDotSegment),
            ("/a/..\\b", PathError::HiddenDotSegment),
            ("/a/b%5C.%5cc", PathError::HiddenDotSegment),
            ("/a/..;/b", PathError::HiddenDotSegment),
            ("/a/..;x=1/b", PathError::HiddenDotSegment),
            ("/a/.%3bx", PathError::HiddenDotSegment),
        ] {
            assert_eq!(normalise(given), Err(expected), "{given:?}");
        }
    }

    #[test]
    fn merges_doubled_slashes_where_the_rules_say_so() {
        let rules = PathRules { doubled_slashes: DoubledSlashes::Merge, ..PathRules::default() };
        for (given, expected) in
            [("/a//b///c", "/a/b/c"), ("//", "/"), ("/a//../b", "/b"), ("/a/%2F/b", "/a/%2F/b"), ("*", "*")]
        {
            assert_eq!(normalise_by(given, rules).as_deref(), Ok(expected), "{given}");
        }
        assert_eq!(normalise_by("/a//b", PathRules::default()).as_deref(), Ok("/a//b"));
    }

    #[test]
    fn refuses_an_encoded_slash_where_the_rules_say_so() {
        let rules = PathRules { encoded_slashes: EncodedSlashes::Refuse, ..PathRules::default() };
        assert_eq!(normalise_by("/a%2fb", rules), Err(PathError::EncodedSlash));
        assert_eq!(normalise_by("/a%252fb", rules).as_deref(), Ok("/a%252fb"));
    }

    #[test]
    fn borrows_a_path_that_is_already_spelled() {
        for given in ["/", "/a/b", "/.well-known/x", "/a%2Fb", "/a..b/c."] {
            assert!(matches!(normalise(given), Ok(Cow::Borrowed(_))), "{given}");
        }
    }

    fn path() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("/".to_owned()),
            Just(".".to_owned()),
            Just("..".to_owned()),
            Just("%2e".to_owned()),
            Just("%2f".to_owned()),
            Just("\\".to_owned()),
            Just(";".to_owned()),
            Just("%25".to_owned()),
            Just("a".to_owned()),
            any::<u8>().prop_map(|byte| format!("%{byte:02x}")),
            any::<char>().prop_map(String::from),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| format!("/{}", pieces.concat()))
    }

    proptest! {
        #[test]
        fn a_normalised_path_normalises_to_itself(path in path()) {
            if let Ok(once) = normalise(&path) {
                let twice = normalise(&once);
                prop_assert_eq!(twice.as_deref(), Ok(once.as_ref()));
            }
        }

        #[test]
        fn a_normalised_path_is_plain_ascii_without_dot_segments(path in path()) {
            if let Ok(normal) = normalise(&path) {
                prop_assert!(normal.starts_with('/'));
                prop_assert!(normal.bytes().all(|byte| byte.is_ascii_graphic()));
                prop_assert!(!normal.split('/').any(|segment| segment == "." || segment == ".."));
            }
        }

        #[test]
        fn decoding_slashes_later_reveals_no_dot_segment(path in path()) {
            if let Ok(normal) = normalise(&path) {
                let decoded = normal.replace("%2F", "/").replace("%5C", "/");
                prop_assert!(!decoded.split('/').any(|segment| segment == "." || segment == ".."));
            }
        }
    }
}
