//! Text as a JSON string (RFC 8259 section 7). Results are mostly text in which little is to be escaped, so it is looked
//! through many bytes at a time and copied in runs.

/// Bytes that are looked at together.
const STEP: usize = 16;

/// Writes `text` with its quotes.
pub fn push_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    loop {
        let (plain, special) = rest.split_at(plain_length(rest));
        out.extend_from_slice(plain);
        let Some((byte, after)) = special.split_first() else { break };
        push_escaped(out, *byte);
        rest = after;
    }
    out.push(b'"');
}

const fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Bytes before the first that has to be escaped.
fn plain_length(bytes: &[u8]) -> usize {
    let has_special = |step: &[u8]| step.iter().fold(false, |any, byte| any | is_special(*byte));
    let skipped = bytes.chunks_exact(STEP).take_while(|step| !has_special(step)).count() * STEP;
    let rest = bytes.get(skipped..).unwrap_or_default();
    skipped + rest.iter().position(|byte| is_special(*byte)).unwrap_or(rest.len())
}

fn push_escaped(out: &mut Vec<u8>, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        _ => {
            return out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 15)]);
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_reads_as_the_text(text in "(\\PC|[\\x00-\\x1f\"\\\\]){0,60}") {
            let mut out = Vec::new();
            push_string(&mut out, &text);
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
    }

    #[test]
    fn every_control_character_is_escaped() {
        let all: String = (0..0x20u8).map(char::from).collect();
        let mut out = Vec::new();
        push_string(&mut out, &all);
        assert!(out.iter().all(|byte| *byte >= 0x20));
        assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), all);
    }
}
