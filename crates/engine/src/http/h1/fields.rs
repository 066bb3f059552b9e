//! Fields of a head: read without copying their values, and written.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use smallvec::SmallVec;

/// A name or a value is malformed.
#[derive(Debug, thiserror::Error)]
#[error("a header field is malformed")]
pub struct InvalidField;

/// The fields of a head that was parsed: their names, and where in the head their values are.
pub struct Fields(SmallVec<[(HeaderName, usize, usize); 24]>);

impl Fields {
    /// `parsed` are those of a head at the start of `buffer`.
    pub fn find(parsed: &[httparse::Header<'_>], buffer: &[u8]) -> Result<Self, InvalidField> {
        let start = buffer.as_ptr() as usize;
        let field = |field: &httparse::Header<'_>| {
            let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| InvalidField)?;
            let from = field.value.as_ptr() as usize - start;
            Ok((name, from, from + field.value.len()))
        };
        parsed.iter().map(field).collect::<Result<_, _>>().map(Self)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Each with its value, which shares the memory of `head`.
    pub fn values(
        self,
        head: &Bytes,
    ) -> impl Iterator<Item = Result<(HeaderName, HeaderValue), InvalidField>> {
        self.0.into_iter().map(|(name, from, to)| {
            let value = HeaderValue::from_maybe_shared(head.slice(from..to)).map_err(|_| InvalidField)?;
            Ok((name, value))
        })
    }
}

/// Writes `name: value` and the end of the line.
pub fn write_field(bytes: &mut BytesMut, name: &str, value: &[u8]) {
    bytes.extend_from_slice(name.as_bytes());
    bytes.extend_from_slice(b": ");
    bytes.extend_from_slice(value);
    bytes.extend_from_slice(b"\r\n");
}

/// The end of a chunked body (RFC 9112, section 7.1.2).
pub fn last_chunk(trailers: Option<&HeaderMap>) -> Bytes {
    let Some(trailers) = trailers else { return Bytes::from_static(b"0\r\n\r\n") };
    let mut bytes = BytesMut::from(&b"0\r\n"[..]);
    for (name, value) in trailers {
        write_field(&mut bytes, name.as_str(), value.as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.freeze()
}

/// A number of decimal digits and nothing else.
pub fn digits(bytes: &[u8]) -> Option<u64> {
    let is_number = !bytes.is_empty() && bytes.len() <= 19 && bytes.iter().all(u8::is_ascii_digit);
    is_number.then(|| std::str::from_utf8(bytes).ok()?.parse().ok()).flatten()
}

/// Whether the list `value` has the member `option`.
pub fn says(value: &HeaderValue, option: &str) -> bool {
    let text = value.to_str().unwrap_or_default();
    text.split(',').any(|said| said.trim().eq_ignore_ascii_case(option))
}
