//! The chunked transfer coding (RFC 9112, section 7.1), read strictly: what two parsers could read differently is an
//! error, and chunk extensions and trailers are bounded.

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Bytes of one line: a chunk's size with its extensions.
const LONGEST_LINE: usize = 4096;
/// Bytes of all trailer fields.
const LONGEST_TRAILERS: usize = 16 << 10;
const MOST_TRAILERS: usize = 64;

/// What is wrong with a chunked body.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ChunkError {
    #[error("a chunk's size is not a hexadecimal number")]
    Size,
    #[error("a chunk's extensions are too long")]
    Extensions,
    #[error("a chunk does not end where its size says")]
    End,
    #[error("the trailers are malformed or too long")]
    Trailers,
}

/// One step of decoding.
#[derive(Debug, PartialEq)]
pub enum Piece {
    Data(Bytes),
    /// The end, with the trailers where there are any.
    End(Option<HeaderMap>),
    /// More bytes have to be read first.
    Incomplete,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Size,
    Data(u64),
    DataEnd,
    Trailers,
    Ended,
}

/// Reads one body.
#[derive(Debug)]
pub struct Decoder {
    state: State,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { state: State::Size }
    }
}

impl Decoder {
    /// Takes the next piece out of `buffer`.
    pub fn next(&mut self, buffer: &mut BytesMut) -> Result<Piece, ChunkError> {
        loop {
            match self.state {
                State::Size => {
                    let Some(line) = line(buffer, LONGEST_LINE).ok_or(ChunkError::Extensions)? else {
                        return Ok(Piece::Incomplete);
                    };
                    self.state = match size(&line)? {
                        0 => State::Trailers,
                        size => State::Data(size),
                    };
                }
                State::Data(left) => {
                    if buffer.is_empty() {
                        return Ok(Piece::Incomplete);
                    }
                    let length = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
                    let left = left - length as u64;
                    self.state = if left == 0 { State::DataEnd } else { State::Data(left) };
                    return Ok(Piece::Data(buffer.split_to(length).freeze()));
                }
                State::DataEnd => match buffer.get(..2) {
                    None if buffer.first().is_none_or(|byte| *byte == b'\r') => return Ok(Piece::Incomplete),
                    Some(b"\r\n") => {
                        buffer.advance(2);
                        self.state = State::Size;
                    }
                    _ => return Err(ChunkError::End),
                },
                State::Trailers => {
                    let Some(trailers) = trailers(buffer)? else { return Ok(Piece::Incomplete) };
                    self.state = State::Ended;
                    return Ok(Piece::End(trailers));
                }
                State::Ended => return Ok(Piece::End(None)),
            }
        }
    }

    /// Whether the end has been read.
    pub fn has_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }
}

/// A line without its CRLF. `None`: longer than `limit`. `Some(None)`: not complete yet.
#[expect(clippy::option_option, reason = "too long and not yet there are different answers")]
fn line(buffer: &mut BytesMut, limit: usize) -> Option<Option<Bytes>> {
    let Some(end) = buffer.iter().take(limit).position(|byte| *byte == b'\n') else {
        return (buffer.len() < limit).then_some(None);
    };
    let line = buffer.split_to(end + 1).freeze();
    Some(Some(line))
}

/// The size in a line that ends in CRLF. Extensions are read over.
fn size(line: &[u8]) -> Result<u64, ChunkError> {
    let line = line.strip_suffix(b"\r\n").ok_or(ChunkError::Size)?;
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (digits, rest) = line.split_at_checked(digits).ok_or(ChunkError::Size)?;
    // Space before an extension is bad whitespace that must be taken (RFC 9112, section 7.1.1).
    let rest = rest.trim_ascii_start();
    if digits.is_empty() || digits.len() > 16 || !(rest.is_empty() || rest.starts_with(b";")) {
        return Err(ChunkError::Size);
    }
    if rest.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
        return Err(ChunkError::Extensions);
    }
    let text = std::str::from_utf8(digits).map_err(|_| ChunkError::Size)?;
    u64::from_str_radix(text, 16).map_err(|_| ChunkError::Size)
}

/// The trailer section with the empty line that ends it; none where it is not complete yet.
#[expect(clippy::option_option, reason = "not yet there and empty are different answers")]
fn trailers(buffer: &mut BytesMut) -> Result<Option<Option<HeaderMap>>, ChunkError> {
    if buffer.starts_with(b"\r\n") {
        buffer.advance(2);
        return Ok(Some(None));
    }
    let mut fields = [httparse::EMPTY_HEADER; MOST_TRAILERS];
    match httparse::parse_headers(buffer, &mut fields) {
        Ok(httparse::Status::Partial) if buffer.len() < LONGEST_TRAILERS => Ok(None),
        Ok(httparse::Status::Complete((length, fields))) if length <= LONGEST_TRAILERS => {
            let mut map = HeaderMap::with_capacity(fields.len());
            for field in fields.iter() {
                let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| ChunkError::Trailers)?;
                let value = HeaderValue::from_bytes(field.value).map_err(|_| ChunkError::Trailers)?;
                map.append(name, value);
            }
            buffer.advance(length);
            Ok(Some(Some(map)))
        }
        _ => Err(ChunkError::Trailers),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole body and its trailers, fed in pieces of `step` bytes.
    fn decode(bytes: &[u8], step: usize) -> Result<(Vec<u8>, Option<HeaderMap>, usize), ChunkError> {
        let (mut decoder, mut buffer, mut body) = (Decoder::default(), BytesMut::new(), Vec::new());
        let mut pieces = bytes.chunks(step);
        loop {
            match decoder.next(&mut buffer)? {
                Piece::Data(data) => body.extend_from_slice(&data),
                Piece::End(trailers) => {
                    let left = buffer.len() + pieces.map(<[u8]>::len).sum::<usize>();
                    return Ok((body, trailers, left));
                }
                Piece::Incomplete => buffer.extend_from_slice(pieces.next().expect("a whole body")),
            }
        }
    }

    #[test]
    fn reads_a_body_however_it_is_cut() {
        let bytes = b"5\r\nhello\r\n6 ;x=\"y\"\r\n world\r\n0\r\n\r\nNEXT";
        for step in 1..=bytes.len() {
            let (body, trailers, left) = decode(bytes, step).unwrap();
            assert_eq!((body.as_slice(), trailers, left), (&b"hello world"[..], None, 4), "{step}");
        }
    }

    #[test]
    fn reads_trailers() {
        let (_, trailers, left) = decode(b"0\r\nGrpc-Status: 0\r\nX: y\r\n\r\n", 3).unwrap();
        let trailers = trailers.unwrap();
        assert_eq!(
            (trailers["grpc-status"].as_bytes(), trailers["x"].as_bytes(), left),
            (&b"0"[..], &b"y"[..], 0)
        );
    }

    #[test]
    fn refuses_what_could_be_read_in_two_ways() {
        for (bytes, error) in [
            (&b"\r\n"[..], ChunkError::Size),
            (b"-1\r\n", ChunkError::Size),
            (b"+5\r\nhello", ChunkError::Size),
            (b"0x5\r\nhello", ChunkError::Size),
            (b"5\nhello\r\n", ChunkError::Size),
            (b"5 5\r\nhello", ChunkError::Size),
            (b"11111111111111111\r\n", ChunkError::Size),
            (b"5;a\rb\r\nhello", ChunkError::Extensions),
            (b"5\r\nhello!\r\n", ChunkError::End),
            (b"5\r\nhello\n\r", ChunkError::End),
            (b"0\r\nbad name: x\r\n\r\n", ChunkError::Trailers),
            (b"0\r\n: x\r\n\r\n", ChunkError::Trailers),
        ] {
            assert_eq!(
                decode(bytes, bytes.len()).unwrap_err(),
                error,
                "{:?}",
                String::from_utf8_lossy(bytes)
            );
        }
    }

    #[test]
    fn bounds_extensions_and_trailers() {
        let long = [b"5;".to_vec(), vec![b'a'; LONGEST_LINE]].concat();
        assert_eq!(decode(&long, long.len()).unwrap_err(), ChunkError::Extensions);
        let long = [b"0\r\nx: ".to_vec(), vec![b'a'; LONGEST_TRAILERS]].concat();
        assert_eq!(decode(&long, long.len()).unwrap_err(), ChunkError::Trailers);
    }

    proptest::proptest! {
        #[test]
        fn never_panics_and_never_invents_bytes(bytes: Vec<u8>, step in 1_usize..9) {
            let (mut decoder, mut buffer, mut given) = (Decoder::default(), BytesMut::new(), 0);
            for piece in bytes.chunks(step) {
                buffer.extend_from_slice(piece);
                loop {
                    match decoder.next(&mut buffer) {
                        Ok(Piece::Data(data)) => given += data.len(),
                        Ok(Piece::Incomplete) => break,
                        Ok(Piece::End(_)) | Err(_) => return Ok(()),
                    }
                }
            }
            assert!(given <= bytes.len());
        }
    }
}
