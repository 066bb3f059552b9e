//! Text as a JSON string (RFC 8259 section 7). Results are mostly text in which little is to be escaped, so it is looked
//! through and copied eight bytes at a time.

/// Writes `text` with its quotes.
pub fn push_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = push_plain(out, text.as_bytes());
    while let Some((byte, after)) = rest.split_first() {
        push_escaped(out, *byte);
        rest = push_plain(out, after);
    }
    out.push(b'"');
}

const fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Writes what comes before the first byte that stands for something else in a JSON string or must not be in one. What is
/// left begins with that byte.
pub fn push_plain<'a>(out: &mut Vec<u8>, mut bytes: &'a [u8]) -> &'a [u8] {
    while let Some((word, after)) = bytes.split_first_chunk::<8>() {
        // Eight bytes are written at once, and those too many taken back.
        out.extend_from_slice(word);
        let specials = specials(u64::from_le_bytes(*word));
        if specials != 0 {
            let plain = specials.trailing_zeros() as usize / 8;
            out.truncate(out.len() - word.len() + plain);
            return bytes.get(plain..).unwrap_or_default();
        }
        bytes = after;
    }
    let length = bytes.iter().position(|byte| is_special(*byte)).unwrap_or(bytes.len());
    let (plain, rest) = bytes.split_at(length);
    out.extend_from_slice(plain);
    rest
}

/// The high bit of the first special byte of `word`, the lowest first. A subtraction borrows only from bytes after it, so
/// bits above that one may be wrong.
const fn specials(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const fn first_below(word: u64, bound: u64) -> u64 {
        word.wrapping_sub(ONES * bound) & !word
    }
    let quotes = first_below(word ^ (ONES * b'"' as u64), 1);
    let backslashes = first_below(word ^ (ONES * b'\\' as u64), 1);
    (first_below(word, 0x20) | quotes | backslashes) & (ONES << 7)
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

    proptest! {
        #[test]
        fn the_first_special_byte_is_found_wherever_it_is(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let expected = bytes.iter().position(|byte| is_special(*byte)).unwrap_or(bytes.len());
            let mut out = vec![b'"'];
            let rest = push_plain(&mut out, &bytes);
            prop_assert_eq!((&out[1..], rest), bytes.split_at(expected));
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
