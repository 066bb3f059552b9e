//! JSON without the whitespace between its tokens, found to be JSON (RFC 8259) in the same pass: answers are mostly JSON,
//! and each byte of one is looked at once. Depth costs memory, a byte each, and no stack.

use super::escaping::push_plain;
use smallvec::SmallVec;

/// `json` with every number and string as it was written; none for what is not JSON.
pub fn compact(json: &[u8]) -> Option<String> {
    let mut reader = Reader { rest: json, kept: Vec::with_capacity(json.len()) };
    // What ends each list and object that is open.
    let mut open: SmallVec<[u8; 64]> = SmallVec::new();
    'value: loop {
        match reader.take()? {
            b'"' => reader.string()?,
            b'{' if reader.takes(b'}') => {}
            b'{' => {
                open.push(b'}');
                reader.name()?;
                continue;
            }
            b'[' if reader.takes(b']') => {}
            b'[' => {
                open.push(b']');
                continue;
            }
            b't' => reader.word(b"rue")?,
            b'f' => reader.word(b"alse")?,
            b'n' => reader.word(b"ull")?,
            b'-' => reader.number()?,
            b'0' => reader.fraction()?,
            b'1'..=b'9' => {
                reader.digits();
                reader.fraction()?;
            }
            _ => return None,
        }
        while let Some(end) = open.last().copied() {
            match reader.take()? {
                b',' => {
                    if end == b'}' {
                        reader.name()?;
                    }
                    continue 'value;
                }
                byte if byte == end => drop(open.pop()),
                _ => return None,
            }
        }
        reader.skip();
        return if reader.rest.is_empty() { String::from_utf8(reader.kept).ok() } else { None };
    }
}

/// What is left to read, and what was kept of the rest.
struct Reader<'a> {
    rest: &'a [u8],
    kept: Vec<u8>,
}

impl Reader<'_> {
    /// Passes over whitespace.
    fn skip(&mut self) {
        while let Some((b' ' | b'\t' | b'\n' | b'\r', after)) = self.rest.split_first() {
            self.rest = after;
        }
    }

    /// Keeps the first byte of the next token.
    fn take(&mut self) -> Option<u8> {
        self.skip();
        let (byte, after) = self.rest.split_first()?;
        self.rest = after;
        self.kept.push(*byte);
        Some(*byte)
    }

    /// Keeps the next token where it is `byte`.
    fn takes(&mut self, byte: u8) -> bool {
        self.skip();
        match self.rest.split_first() {
            Some((first, after)) if *first == byte => {
                self.rest = after;
                self.kept.push(byte);
                true
            }
            _ => false,
        }
    }

    /// Keeps the next `length` bytes, of which there are as many.
    fn keep(&mut self, length: usize) {
        let (kept, after) = self.rest.split_at_checked(length).unwrap_or((self.rest, &[]));
        self.kept.extend_from_slice(kept);
        self.rest = after;
    }

    fn name(&mut self) -> Option<()> {
        if !self.takes(b'"') {
            return None;
        }
        self.string()?;
        self.takes(b':').then_some(())
    }

    /// What follows the opening quote of a string.
    fn string(&mut self) -> Option<()> {
        loop {
            self.rest = push_plain(&mut self.kept, self.rest);
            let escape = match self.rest {
                [b'"', ..] => break,
                [b'\\', b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 2,
                [b'\\', b'u', a, b, c, d, ..] if [a, b, c, d].into_iter().all(u8::is_ascii_hexdigit) => 6,
                _ => return None,
            };
            self.keep(escape);
        }
        self.take().map(drop)
    }

    fn word(&mut self, rest: &[u8]) -> Option<()> {
        let is_it = self.rest.starts_with(rest);
        self.keep(rest.len());
        is_it.then_some(())
    }

    /// What follows the minus of a number.
    fn number(&mut self) -> Option<()> {
        match self.rest.first()? {
            b'0' => self.keep(1),
            b'1'..=b'9' => drop(self.digits()),
            _ => return None,
        }
        self.fraction()
    }

    /// What follows a number's whole part. A further digit is for the next token to refuse.
    fn fraction(&mut self) -> Option<()> {
        if self.rest.first() == Some(&b'.') {
            self.keep(1);
            self.digits().then_some(())?;
        }
        if let Some(b'e' | b'E') = self.rest.first() {
            self.keep(1);
            if let Some(b'+' | b'-') = self.rest.first() {
                self.keep(1);
            }
            self.digits().then_some(())?;
        }
        Some(())
    }

    /// Keeps digits; whether there are any.
    fn digits(&mut self) -> bool {
        let length = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.keep(length);
        length > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::de::IgnoredAny;

    fn is_json(text: &[u8]) -> bool {
        std::str::from_utf8(text).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok())
    }

    #[test]
    fn compacts_without_touching_numbers_strings_or_order() {
        let json =
            b" { \"b\" : 1.0e2 , \"a\" : [ 123456789012345678901234567890 , \"x \\\" y\\\\\" , { } ] }\n";
        let expected = r#"{"b":1.0e2,"a":[123456789012345678901234567890,"x \" y\\",{}]}"#;
        assert_eq!(compact(json).unwrap(), expected);
    }

    #[test]
    fn takes_what_another_parser_takes_and_nothing_else() {
        for text in [
            "",
            " ",
            "{",
            "}",
            "[",
            "]",
            "[]",
            "{}",
            "[,]",
            "[1,]",
            "[1 2]",
            "{,}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{1:2}",
            "{\"a\":1 \"b\":2}",
            "{\"a\" : 1, \"b\" : [ ] }",
            "[1}",
            "{\"a\":1]",
            "1",
            "-1",
            "-",
            "0",
            "00",
            "01",
            "-0",
            "-01",
            "1.",
            "1.5",
            ".5",
            "1e",
            "1e5",
            "1E+5",
            "1e-",
            "1.5e-5",
            "1.e5",
            "+1",
            "0x1",
            "true",
            "tru",
            "truee",
            "false",
            "null",
            "nul",
            "True",
            "\"",
            "\"a",
            "\"a\"",
            "\"a\"b",
            "\"\\\"",
            "\"\\\"\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\u12g4\"",
            "\"\\u1234\"",
            "\"\\ud800\"",
            "\"\t\"",
            "\"\u{1}\"",
            "\"\u{7f}\"",
            "\"é\"",
            "é",
            "\u{feff}1",
            "1 1",
            "[[[[]]]]",
            "[[[[]]]",
            "[\"0123456789abcdef\", \"0123456789abcde\\n\"]",
            "\u{b}1",
        ] {
            assert_eq!(compact(text.as_bytes()).is_some(), is_json(text.as_bytes()), "{text:?}");
        }
        for bytes in [&b"\"\xff\""[..], b"\xff", b"\"a\xc3\""] {
            assert_eq!(compact(bytes), None);
        }
    }

    #[test]
    fn depth_costs_no_stack() {
        let json = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
        assert_eq!(compact(json.as_bytes()).unwrap(), json);
    }

    proptest! {
        #[test]
        fn agrees_with_another_parser_on_anything(text in "([\\[\\]{}:, \"0-9.eE+-]|true|null|\\\\|\\\\u00e9|\"a\"|\\PC){0,12}") {
            prop_assert_eq!(compact(text.as_bytes()).is_some(), is_json(text.as_bytes()));
        }

        #[test]
        fn what_is_left_says_the_same(names in prop::collection::vec("\\PC{0,20}", 0..5), number in any::<f64>()) {
            let value = serde_json::json!({"names": names, "number": number, "deep": [[names], {}]});
            let compacted = compact(serde_json::to_string_pretty(&value).unwrap().as_bytes()).unwrap();
            prop_assert_eq!(compacted, serde_json::to_string(&value).unwrap());
        }
    }
}
