//! The parts of a multipart/form-data body (RFC 7578): their names, and texts where they are no files.
//!
//! It reads what is in memory, and refuses what two readers could take apart differently.

use ::http::HeaderValue;
use memchr::memmem::Finder;

/// Parts that are read at most.
const MOST: usize = 1000;

/// A part.
#[derive(Debug, Eq, PartialEq)]
pub struct FormPart<'a> {
    pub name: String,
    /// Empty for a file.
    pub text: &'a str,
}

/// The boundary that a Content-Type names.
pub fn boundary(content_type: &HeaderValue) -> Option<String> {
    let text = content_type.to_str().ok()?;
    let found = parameter(text.split_once(';')?.1, "boundary")?;
    // RFC 2046 section 5.1.1.
    (!found.is_empty() && found.len() <= 70).then_some(found)
}

/// The parts of `body`; an error says what is wrong with it, as `must ...`.
pub fn parts<'a>(body: &'a [u8], boundary: &str) -> Result<Vec<FormPart<'a>>, String> {
    let broken = || "must be multipart/form-data whose parts stand between its boundaries".to_owned();
    let delimiter = format!("\r\n--{boundary}");
    let finder = Finder::new(delimiter.as_bytes());
    // The first delimiter has no line before it, or one that belongs to nothing.
    let first = delimiter.get(2..).unwrap_or_default().as_bytes();
    let mut rest = match body.strip_prefix(first) {
        Some(rest) => rest,
        None => after(body, finder.find(body), delimiter.len()).ok_or_else(broken)?,
    };
    let mut parts = Vec::new();
    loop {
        if rest.starts_with(b"--") {
            return Ok(parts);
        }
        if parts.len() == MOST {
            return Err(format!("must have at most {MOST} parts"));
        }
        rest = next_line(rest).ok_or_else(broken)?;
        let end = finder.find(rest).ok_or_else(broken)?;
        let part = rest.get(..end).ok_or_else(broken)?;
        parts.push(read(part)?);
        rest = after(rest, Some(end), delimiter.len()).ok_or_else(broken)?;
    }
}

/// What follows the `length` bytes from `at` on.
fn after(text: &[u8], at: Option<usize>, length: usize) -> Option<&[u8]> {
    text.get(at?.checked_add(length)?..)
}

/// What follows the line that a boundary stands on, which may end in spaces.
fn next_line(text: &[u8]) -> Option<&[u8]> {
    let spaces = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    text.get(spaces..)?.strip_prefix(b"\r\n")
}

fn read(part: &[u8]) -> Result<FormPart<'_>, String> {
    let broken = || "must have parts with headers and an empty line after them".to_owned();
    let (head, content) = match part.strip_prefix(b"\r\n") {
        Some(content) => (&[][..], content),
        None => {
            let end = memchr::memmem::find(part, b"\r\n\r\n").ok_or_else(broken)?;
            (part.get(..end).ok_or_else(broken)?, after(part, Some(end), 4).ok_or_else(broken)?)
        }
    };
    let head = std::str::from_utf8(head).map_err(|_| "must have parts with headers in UTF-8".to_owned())?;
    let mut dispositions = head.split("\r\n").filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-disposition").then_some(value)
    });
    let parameters = match (dispositions.next().and_then(|value| value.split_once(';')), dispositions.next())
    {
        (Some((_, parameters)), None) => parameters,
        _ => return Err("must have one Content-Disposition with a name in each part".to_owned()),
    };
    let name = parameter(parameters, "name")
        .ok_or_else(|| "must have one Content-Disposition with a name in each part".to_owned())?;
    let is_file = parameter(parameters, "filename").is_some() || parameter(parameters, "filename*").is_some();
    let text = if is_file { "" } else { std::str::from_utf8(content).unwrap_or_default() };
    Ok(FormPart { name, text })
}

/// The value of a parameter of a header, `a=1; b="2"`; none where it comes twice.
fn parameter(text: &str, wanted: &str) -> Option<String> {
    let mut found = None;
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ';']);
        let Some((name, after)) = rest.split_once('=') else { return found };
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => unquoted(quoted)?,
            None => {
                let end = after.find(';').unwrap_or(after.len());
                let (value, after) = after.split_at(end);
                (value.trim().to_owned(), after)
            }
        };
        if name.trim().eq_ignore_ascii_case(wanted) && found.replace(value).is_some() {
            return None;
        }
        rest = after;
    }
}

/// The text up to the closing quote, and what follows that.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => value.push(letters.next()?.1),
            letter => value.push(letter),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(body: &str) -> Result<Vec<(String, String)>, String> {
        let parts = parts(body.as_bytes(), "B")?;
        Ok(parts.into_iter().map(|part| (part.name, part.text.to_owned())).collect())
    }

    #[test]
    fn reads_fields_and_passes_over_what_files_hold() {
        let body = "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--B \r\ncontent-type: image/png\r\n\
            Content-Disposition: form-data; name=\"f\\\"\"; filename=\"x.png\"\r\n\r\n\u{89}\r\n--\r\n\
            --B\r\nContent-Disposition: form-data; name=b\r\n\r\n\r\n--B--\r\n";
        let expected = [("a", "1"), ("f\"", ""), ("b", "")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(named(body).unwrap(), expected);
    }

    #[test]
    fn refuses_what_could_be_taken_apart_differently() {
        for body in [
            "",
            "--B",
            "--B\r\n\r\n1",
            "--B\nContent-Disposition: form-data; name=a\n\n1\n--B--",
            "--B\r\nContent-Disposition: form-data\r\n\r\n1\r\n--B--",
            "--B\r\nContent-Disposition: form-data; name=a; name=b\r\n\r\n1\r\n--B--",
            "--B\r\nContent-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b\r\n\r\n1\r\n--B--",
            "--B\r\nContent-Disposition: form-data; name=a\r\n\r\n1",
        ] {
            assert!(named(body).is_err(), "{body:?}");
        }
    }

    #[test]
    fn the_boundary_is_that_of_the_content_type() {
        let of = |text: &'static str| boundary(&HeaderValue::from_static(text));
        assert_eq!(of("multipart/form-data; boundary=abc").as_deref(), Some("abc"));
        assert_eq!(of("multipart/form-data; charset=x; Boundary=\"a b\"").as_deref(), Some("a b"));
        for text in [
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "multipart/form-data; boundary=a; boundary=b",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
