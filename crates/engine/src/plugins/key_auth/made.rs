//! Keys that Toolway has made: `tw_`, 30 random letters and digits, and 6 that are the CRC-32 of all before. Whoever
//! looks for leaked keys can tell one from other text, and a mistyped one is refused before anything is looked up.

const PREFIX: &[u8] = b"tw_";
const CHECKSUM: usize = 6;
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Whether `key` has the checksum that a key with the prefix must have; keys of others need none.
pub fn may_be_key(key: &[u8]) -> bool {
    let Some(rest) = key.strip_prefix(PREFIX) else { return true };
    rest.len() > CHECKSUM
        && key.split_last_chunk::<CHECKSUM>().is_some_and(|(checked, sum)| checksum(checked) == *sum)
}

/// In base 62, the first digit the highest.
fn checksum(text: &[u8]) -> [u8; CHECKSUM] {
    let mut rest = crc32(text) as usize;
    let mut digits = [b'0'; CHECKSUM];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS.get(rest % DIGITS.len()).copied().unwrap_or_default();
        rest /= DIGITS.len();
    }
    digits
}

/// The CRC-32 of ISO 3309, as zip and PNG have it, bit by bit: keys are short.
fn crc32(text: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
    !text.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crc_is_that_of_iso_3309() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn a_key_with_the_prefix_must_have_its_checksum() {
        let body = b"tw_0123456789abcdefghijABCDEFGHIJ";
        let key = [body.as_slice(), &checksum(body)].concat();
        // What Python's zlib makes of the same text.
        assert_eq!(key, b"tw_0123456789abcdefghijABCDEFGHIJ1fqWVP");
        assert!(may_be_key(&key));
        let mut wrong = key.clone();
        wrong[5] ^= 1;
        assert!(!may_be_key(&wrong));
        assert!(!may_be_key(&key[..key.len() - 1]));
        for short in [b"tw_".as_slice(), b"tw_123456", b"tw_x"] {
            assert!(!may_be_key(short));
        }
    }

    #[test]
    fn keys_of_others_need_no_checksum() {
        assert!(may_be_key(b"alice-key"));
        assert!(may_be_key(b"TW_alice"));
        assert!(may_be_key(b""));
    }
}
