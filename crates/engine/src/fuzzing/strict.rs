//! Reads what the gateway sent to an upstream, with no mercy: whatever two servers could read differently is a finding.
//! It shares nothing with the engine's parsers.

/// One request as it was read.
pub struct Strict {
    /// Bytes of head and body.
    pub length: usize,
}

/// The request that `bytes` begin with; none where it is not complete.
///
/// # Errors
/// What no request of the gateway may have.
pub fn read(bytes: &[u8]) -> Result<Option<Strict>, String> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let (head, body) = bytes.split_at(end + 4);
    let text = std::str::from_utf8(head.get(..end).unwrap_or_default());
    // Values may have bytes beyond ASCII, but no line may be cut in another place.
    let text = text.map_or_else(|_| head.iter().map(|byte| char::from(*byte)).collect(), str::to_owned);
    let text = text.trim_end_matches("\r\n").to_owned();
    let mut lines = text.split("\r\n");
    check_line(lines.next().unwrap_or_default())?;
    let (mut hosts, mut lengths, mut codings) = (0, Vec::new(), Vec::new());
    for line in lines {
        let (name, value) = field(line)?;
        match name.as_str() {
            "host" => hosts += 1,
            "content-length" => lengths.push(value),
            "transfer-encoding" => codings.push(value),
            "keep-alive" | "upgrade" => return Err(format!("{name} belongs to one hop")),
            // gRPC servers want to hear that trailers are taken.
            "te" if value != "trailers" => return Err(format!("{name} belongs to one hop")),
            _ => {}
        }
    }
    if hosts > 1 || lengths.len() + codings.len() > 1 {
        return Err(format!("{hosts} hosts, lengths {lengths:?}, codings {codings:?}"));
    }
    let content = match (lengths.first(), codings.first()) {
        (Some(length), _) => {
            let length = length.parse::<usize>().map_err(|_| format!("the length {length:?}"))?;
            (body.len() >= length).then_some(length)
        }
        (None, Some(coding)) if coding == "chunked" => chunked(body)?,
        (None, Some(coding)) => return Err(format!("the coding {coding:?}")),
        (None, None) => Some(0),
    };
    Ok(content.map(|length| Strict { length: head.len() + length }))
}

fn check_line(line: &str) -> Result<(), String> {
    let words: Vec<&str> = line.split(' ').collect();
    let [method, target, "HTTP/1.1"] = words[..] else {
        return Err(format!("the line {line:?}"));
    };
    let path = target.split('?').next().unwrap_or_default();
    let is_method = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_graphic());
    let is_path = path.starts_with('/') || (target == "*" && method == "OPTIONS");
    let has_steps = path.split('/').any(|segment| matches!(segment, "." | ".."));
    if !is_method || !is_path || has_steps || target.bytes().any(|byte| byte.is_ascii_control()) {
        return Err(format!("the line {line:?}"));
    }
    Ok(())
}

/// The name of a field in lower case, and its value.
fn field(line: &str) -> Result<(String, String), String> {
    if line.chars().any(|letter| letter.is_ascii_control() && letter != '\t') {
        return Err(format!("a control character in {line:?}"));
    }
    let (name, value) = line.split_once(':').ok_or_else(|| format!("no colon in {line:?}"))?;
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(format!("no name in {line:?}"));
    }
    Ok((name.to_ascii_lowercase(), value.trim().to_owned()))
}

/// A line up to its CRLF, and where the next begins; none where it is not complete.
fn line(body: &[u8], at: usize) -> Option<(String, usize)> {
    let rest = body.get(at..)?;
    let end = rest.windows(2).position(|window| window == b"\r\n")?;
    Some((rest.get(..end)?.iter().map(|byte| char::from(*byte)).collect(), at + end + 2))
}

/// The length of a chunked body without extensions, as the gateway writes them.
fn chunked(body: &[u8]) -> Result<Option<usize>, String> {
    let mut at = 0;
    loop {
        let Some((digits, next)) = line(body, at) else { return Ok(None) };
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let size = usize::from_str_radix(&digits, 16).ok().filter(|_| is_number);
        let size = size.ok_or_else(|| format!("the chunk size {digits:?}"))?;
        if size == 0 {
            return trailers(body, next);
        }
        at = next + size + 2;
        match body.get(at - 2..at) {
            None => return Ok(None),
            Some(b"\r\n") => {}
            Some(end) => return Err(format!("a chunk ends with {end:?}")),
        }
    }
}

/// Where the trailers end. What a recipient would believe of the sender, or must know earlier, may not be among them.
fn trailers(body: &[u8], mut at: usize) -> Result<Option<usize>, String> {
    while let Some((text, next)) = line(body, at) {
        if text.is_empty() {
            return Ok(Some(next));
        }
        let name = field(&text)?.0.replace('_', "-");
        let is_claim = name.starts_with("x-forwarded-") || name.starts_with("x-consumer-");
        let is_late =
            ["host", "content-length", "transfer-encoding", "connection", "authorization", "trailer"];
        if is_claim || is_late.contains(&name.as_str()) {
            return Err(format!("{name} as a trailer"));
        }
        at = next;
    }
    Ok(None)
}
