//! Reading one part of a document, with the place of what cannot be read.

use serde::Deserialize;
use serde_path_to_error::{Path, Segment};
use std::fmt::Write as _;

/// Reads a part of a document. The error is a JSON pointer into the part and a sentence that names the field too.
pub fn decode<'de, T: Deserialize<'de>>(json: &'de str) -> Result<T, (String, String)> {
    serde_json::from_str(json).map_err(|error| {
        // Read once more for the place, which is only needed here.
        match serde_path_to_error::deserialize::<_, T>(&mut serde_json::Deserializer::from_str(json)) {
            Ok(_) => (String::new(), without_position(&error)),
            Err(error) => {
                let pointer = pointer_to(error.path());
                let why = without_position(error.inner());
                match pointer.is_empty() {
                    true => (pointer, why),
                    false => (pointer, format!("{}: {why}", error.path())),
                }
            }
        }
    })
}

/// The JSON pointer (RFC 6901) to where serde was.
pub fn pointer_to(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        // Writing to a string does not fail.
        let _ = match segment {
            Segment::Map { key } => write!(pointer, "/{}", key.replace('~', "~0").replace('/', "~1")),
            Segment::Seq { index } => write!(pointer, "/{index}"),
            // An enum with content is an object with one member.
            Segment::Enum { variant } => write!(pointer, "/{variant}"),
            Segment::Unknown => Ok(()),
        };
    }
    pointer
}

/// Lines and columns would be those of the part.
fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&position).map(str::to_owned).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Route;

    #[test]
    fn says_what_cannot_be_read_and_where() {
        for (json, pointer, why) in [
            (
                r#"{"id": "a", "uris": [1]}"#,
                "/uris/0",
                "uris[0]: invalid type: integer `1`, expected a string",
            ),
            (r#"{"id": "a", "uris": []}"#, "", "missing field `target`"),
            (
                r#"{"id": "a", "uris": [], "target": {"upstream": {"ib": 1}}}"#,
                "/target/upstream/ib",
                "target.upstream.ib: unknown field `ib`, expected one of `id`, `strip_prefix`, `add_prefix`",
            ),
        ] {
            assert_eq!(decode::<Route>(json).err(), Some((pointer.to_owned(), why.to_owned())), "{json}");
        }
    }
}
