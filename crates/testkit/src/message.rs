//! Where an HTTP/1.1 message ends: just enough framing (RFC 9112 section 6) to take one message off a connection.
//!
//! It reads whole buffers again for each new piece, which is slow and plain. It is forgiving: what it cannot read it
//! treats as having no body, since tests send and receive broken messages on purpose.

/// Where a message is known to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// After this many bytes.
    At(usize),
    /// Not in these bytes yet.
    Later,
    /// Where the connection closes.
    WithConnection,
}

/// The end of the head with its empty line, if it is there.
pub(crate) fn head_end(bytes: &[u8]) -> Option<usize> {
    find(bytes, b"\r\n\r\n").map(|at| at + 4)
}

/// Where the request at the start of `bytes` ends.
pub(crate) fn request_end(bytes: &[u8]) -> End {
    let Some(head) = head_end(bytes) else { return End::Later };
    match framed_end(bytes, head) {
        Some(end) => end,
        None => End::At(head),
    }
}

/// Where the response at the start of `bytes` ends; one to HEAD has no body whatever its head says.
pub(crate) fn response_end(bytes: &[u8], is_to_head: bool) -> End {
    let Some(head) = head_end(bytes) else { return End::Later };
    let status = status(bytes);
    if is_to_head || status < 200 || status == 204 || status == 304 {
        return End::At(head);
    }
    framed_end(bytes, head).unwrap_or(End::WithConnection)
}

/// The status of the response at the start of `bytes`; 0 if there is none.
pub(crate) fn status(bytes: &[u8]) -> u16 {
    let line = bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let code = line.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    std::str::from_utf8(code).ok().and_then(|code| code.parse().ok()).unwrap_or(0)
}

/// The first value of a header in the head that `bytes` start with.
pub(crate) fn header<'b>(bytes: &'b [u8], name: &str) -> Option<&'b str> {
    let head = std::str::from_utf8(bytes.get(..head_end(bytes)?)?).ok()?;
    let mut lines = head.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
    lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// The body of a complete message, without its chunk framing.
pub(crate) fn body(bytes: &[u8]) -> Vec<u8> {
    let body = head_end(bytes).and_then(|head| bytes.get(head..)).unwrap_or_default();
    if !is_chunked(bytes) {
        return body.to_vec();
    }
    let mut content = Vec::new();
    let mut at = 0;
    while let Some((start, length)) = chunk(body, at) {
        match body.get(start..start + length) {
            Some(piece) if length > 0 => content.extend_from_slice(piece),
            _ => break,
        }
        at = start + length + 2;
    }
    content
}

/// The end by Transfer-Encoding or Content-Length; `None` if the head has neither.
fn framed_end(bytes: &[u8], head: usize) -> Option<End> {
    if is_chunked(bytes) {
        return Some(chunked_end(bytes, head));
    }
    let length: usize = header(bytes, "content-length")?.parse().ok()?;
    Some(if bytes.len() >= head + length { End::At(head + length) } else { End::Later })
}

fn is_chunked(bytes: &[u8]) -> bool {
    header(bytes, "transfer-encoding").is_some_and(|value| value.to_ascii_lowercase().ends_with("chunked"))
}

fn chunked_end(bytes: &[u8], mut at: usize) -> End {
    while let Some((start, length)) = chunk(bytes, at) {
        if length == 0 {
            // The last chunk's line end begins the empty line that ends the trailers.
            let trailers = bytes.get(start - 2..).unwrap_or_default();
            return find(trailers, b"\r\n\r\n").map_or(End::Later, |end| End::At(start - 2 + end + 4));
        }
        at = start + length + 2;
    }
    End::Later
}

/// Where the content of the chunk at `at` starts, and its length.
fn chunk(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let rest = bytes.get(at..)?;
    let line = rest.get(..find(rest, b"\r\n")?)?;
    let size = line.split(|byte| *byte == b';').next().unwrap_or_default();
    let length = usize::from_str_radix(std::str::from_utf8(size).ok()?.trim(), 16).ok()?;
    Some((at + line.len() + 2, length))
}

fn find(bytes: &[u8], text: &[u8]) -> Option<usize> {
    bytes.windows(text.len()).position(|window| window == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_end_of_requests() {
        for (bytes, expected) in [
            ("GET / HTTP/1.1\r\n\r", End::Later),
            ("GET / HTTP/1.1\r\n\r\nGET", End::At(18)),
            ("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab", End::Later),
            ("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcd", End::At(41)),
            ("P / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\n", End::Later),
            ("P / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\n\r\nG", End::At(59)),
            ("P / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\na: b\r\n\r\nG", End::At(55)),
        ] {
            assert_eq!(request_end(bytes.as_bytes()), expected, "{bytes}");
        }
    }

    #[test]
    fn finds_the_end_of_responses() {
        let response = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP";
        assert_eq!(response_end(response, false), End::At(40));
        assert_eq!(response_end(response, true), End::At(38));
        assert_eq!(response_end(b"HTTP/1.1 100 Continue\r\n\r\nHTTP", false), End::At(25));
        assert_eq!(response_end(b"HTTP/1.1 204 No Content\r\n\r\nHTTP", false), End::At(27));
        assert_eq!(response_end(b"HTTP/1.1 200 OK\r\n\r\nrest", false), End::WithConnection);
    }

    #[test]
    fn takes_chunks_apart() {
        let message =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\nx: y\r\n\r\n";
        assert_eq!(body(message), b"abc");
        assert_eq!(status(message), 200);
        assert_eq!(header(message, "transfer-encoding"), Some("chunked"));
    }
}
