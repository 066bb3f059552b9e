//! Heads of requests: read, and what follows them worked out. What two parsers could read differently is refused here
//! or, where the head can be read but not be trusted, by `http::framing`.

use crate::http::h1::{ChunkDecoder, Fields, InvalidField, digits, says};
use crate::snapshot::Limits;
use ::http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, TE, TRANSFER_ENCODING, UPGRADE};
use ::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, Version, request};
use bytes::BytesMut;
use std::mem::MaybeUninit;

/// Heads may have this many bytes whatever the limit says, since that many are read at once.
const LEAST_LIMIT: usize = 8192;
/// Fields for which there is room on the stack.
const FEW: usize = 128;
/// Headers that the exchange may add before the map has to grow.
const ADDED_HEADERS: usize = 4;
/// More than `Uri` can hold.
const LONGEST_TARGET: usize = 65_534;

/// What of a body is still to be read.
pub enum Unread {
    Nothing,
    Length(u64),
    Chunked(ChunkDecoder),
    /// It broke off, so nothing that follows can be read.
    Broken,
}

/// A request's head, and what it says of the rest.
pub struct Head {
    pub parts: request::Parts,
    pub body: Unread,
    /// What its answer has to heed.
    pub asked: Asked,
    /// The client waits for 100 before it sends the body (RFC 9110 section 10.1.1).
    pub expects: bool,
    /// The client asks to change the protocol.
    pub upgrades: bool,
}

/// What the answer to a request has to heed.
pub struct Asked {
    pub is_http10: bool,
    pub is_head: bool,
    pub takes_trailers: bool,
    /// The connection may serve another request afterwards.
    pub keep_alive: bool,
}

/// A head that is refused with an empty answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refusal {
    Malformed,
    TargetTooLong,
    TooLarge,
}

impl Refusal {
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::TooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        }
    }
}

impl From<httparse::Error> for Refusal {
    fn from(error: httparse::Error) -> Self {
        match error {
            httparse::Error::TooManyHeaders => Self::TooLarge,
            _ => Self::Malformed,
        }
    }
}

impl From<InvalidField> for Refusal {
    fn from(_: InvalidField) -> Self {
        Self::Malformed
    }
}

/// Takes a head out of `buffer`; none where it is not complete yet.
pub fn read(buffer: &mut BytesMut, limits: &Limits) -> Result<Option<Head>, Refusal> {
    let most = limits.head_bytes.max(LEAST_LIMIT);
    let mut few = [const { MaybeUninit::uninit() }; FEW];
    let mut many = Vec::new();
    let room = match few.get_mut(..limits.headers) {
        Some(room) => room,
        None => {
            many.resize_with(limits.headers, MaybeUninit::uninit);
            many.as_mut_slice()
        }
    };
    let mut parsed = httparse::Request::new(&mut []);
    let config = httparse::ParserConfig::default();
    let length = match config.parse_request_with_uninit_headers(&mut parsed, buffer, room)? {
        httparse::Status::Partial if buffer.len() >= most => return Err(Refusal::TooLarge),
        httparse::Status::Partial => return Ok(None),
        httparse::Status::Complete(length) if length > most => return Err(Refusal::TooLarge),
        httparse::Status::Complete(length) => length,
    };
    let (method, target) = (parsed.method.unwrap_or_default(), parsed.path.unwrap_or_default());
    if target.len() > LONGEST_TARGET {
        return Err(Refusal::TargetTooLong);
    }
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| Refusal::Malformed)?;
    let version = if parsed.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
    let from = target.as_ptr() as usize - buffer.as_ptr() as usize;
    let to = from + target.len();
    let fields = Fields::find(parsed.headers, buffer)?;
    let head = buffer.split_to(length).freeze();
    let uri = Uri::from_maybe_shared(head.slice(from..to)).map_err(|_| Refusal::Malformed)?;
    let mut rest = Rest::new(version);
    let mut headers = HeaderMap::with_capacity(fields.count() + ADDED_HEADERS);
    for field in fields.values(&head) {
        let (name, value) = field?;
        if rest.look(&name, &value, &mut headers)? {
            headers.append(name, value);
        }
    }
    let (mut parts, ()) = Request::new(()).into_parts();
    (parts.method, parts.uri, parts.version, parts.headers) = (method, uri, version, headers);
    rest.head(parts).map(Some)
}

/// What fields say of the rest of the message and of the connection (RFC 9112 sections 6.3 and 9.3).
struct Rest {
    is_http10: bool,
    length: Option<u64>,
    has_length: bool,
    has_coding: bool,
    is_chunked: bool,
    closes: bool,
    keeps_alive: bool,
    expects: bool,
    upgrades: bool,
    takes_trailers: bool,
}

impl Rest {
    fn new(version: Version) -> Self {
        Self {
            is_http10: version == Version::HTTP_10,
            length: None,
            has_length: false,
            has_coding: false,
            is_chunked: false,
            closes: false,
            keeps_alive: false,
            expects: false,
            upgrades: false,
            takes_trailers: false,
        }
    }

    /// Looks at a field. Whether it is kept: equal lengths become one, and none stays beside a Transfer-Encoding.
    fn look(
        &mut self,
        name: &::http::HeaderName,
        value: &HeaderValue,
        headers: &mut HeaderMap,
    ) -> Result<bool, Refusal> {
        match *name {
            TRANSFER_ENCODING if self.is_http10 => return Err(Refusal::Malformed),
            TRANSFER_ENCODING => {
                self.has_coding = true;
                let last = value.to_str().unwrap_or_default().rsplit(',').next().unwrap_or_default();
                self.is_chunked = last.trim().eq_ignore_ascii_case("chunked");
                if self.length.take().is_some() {
                    headers.remove(CONTENT_LENGTH);
                }
            }
            CONTENT_LENGTH => {
                self.has_length = true;
                if self.has_coding {
                    return Ok(false);
                }
                let length = digits(value.as_bytes()).ok_or(Refusal::Malformed)?;
                match self.length.replace(length) {
                    None => {}
                    Some(before) if before == length => return Ok(false),
                    Some(_) => return Err(Refusal::Malformed),
                }
            }
            CONNECTION => {
                self.closes |= says(value, "close");
                self.keeps_alive |= says(value, "keep-alive");
            }
            EXPECT => self.expects = value.as_bytes().eq_ignore_ascii_case(b"100-continue"),
            UPGRADE => self.upgrades = !self.is_http10,
            TE => self.takes_trailers |= says(value, "trailers"),
            _ => {}
        }
        Ok(true)
    }

    fn head(self, parts: request::Parts) -> Result<Head, Refusal> {
        let body = match self.length {
            _ if self.has_coding && !self.is_chunked => return Err(Refusal::Malformed),
            _ if self.has_coding => Unread::Chunked(ChunkDecoder::default()),
            None | Some(0) => Unread::Nothing,
            Some(length) => Unread::Length(length),
        };
        // Who says both lengths may mean either, so nothing after the message is read.
        let is_one = !(self.has_coding && self.has_length);
        let stays = !self.closes && (!self.is_http10 || self.keeps_alive);
        let asked = Asked {
            is_http10: self.is_http10,
            is_head: parts.method == Method::HEAD,
            takes_trailers: self.takes_trailers,
            keep_alive: is_one && stays,
        };
        let expects = self.expects && !self.is_http10 && !matches!(body, Unread::Nothing);
        Ok(Head { parts, body, asked, expects, upgrades: self.upgrades })
    }
}
