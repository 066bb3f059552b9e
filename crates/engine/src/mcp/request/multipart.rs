//! `multipart/form-data` as RFC 7578 writes it. The boundary is made from the content, so the same call always sends
//! the same bytes, and it never occurs in the content.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// One part.
#[derive(Hash)]
pub struct Part<'a> {
    pub name: &'a str,
    /// A file gets a file name, without which many servers take it for a field.
    pub is_file: bool,
    pub content_type: Option<&'a str>,
    pub headers: Option<&'a BTreeMap<String, String>>,
    pub bytes: Vec<u8>,
}

/// The boundary and the body.
pub fn write(parts: &[Part<'_>]) -> (String, Vec<u8>) {
    let boundary = boundary(parts);
    let mut body = Vec::with_capacity(parts.iter().map(|part| part.bytes.len() + 256).sum());
    for part in parts {
        let name = quoted(part.name);
        body.extend_from_slice(
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"").as_bytes(),
        );
        if part.is_file {
            body.extend_from_slice(format!("; filename=\"{name}\"").as_bytes());
        }
        body.extend_from_slice(b"\r\n");
        if let Some(content_type) = part.content_type {
            body.extend_from_slice(format!("Content-Type: {content_type}\r\n").as_bytes());
        }
        for (name, value) in part.headers.into_iter().flatten() {
            body.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        body.extend_from_slice(b"\r\n");
        body.extend_from_slice(&part.bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    (boundary, body)
}

/// A name within quotes, as the HTML standard writes it: line breaks and quotes are percent-encoded.
fn quoted(name: &str) -> String {
    name.replace('\r', "%0D").replace('\n', "%0A").replace('"', "%22")
}

fn boundary(parts: &[Part<'_>]) -> String {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    loop {
        let boundary = format!("toolway-{:016x}", hasher.finish());
        if !parts
            .iter()
            .any(|part| contains(&part.bytes, boundary.as_bytes()) || part.name.contains(&boundary))
        {
            return boundary;
        }
        hasher.write_u8(1);
    }
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(bytes: &[u8]) -> Part<'static> {
        Part { name: "a\"\r\nb", is_file: false, content_type: None, headers: None, bytes: bytes.to_vec() }
    }

    #[test]
    fn a_name_cannot_end_its_header() {
        let (boundary, body) = write(&[part(b"x")]);
        let expected = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"a%22%0D%0Ab\"\r\n\r\nx\r\n--{boundary}--\r\n"
        );
        assert_eq!(String::from_utf8(body).unwrap(), expected);
    }

    #[test]
    fn the_same_parts_have_the_same_boundary_and_others_another() {
        assert_eq!(write(&[part(b"x")]), write(&[part(b"x")]));
        assert_ne!(write(&[part(b"x")]).0, write(&[part(b"y")]).0);
    }
}
