//! JSON that can be read in one way only.
//!
//! Readers differ in which of two members of the same name they take (RFC 8259 section 4), so an upstream might read
//! another value than was checked; such a text is refused, as is one with a number that no 64 bits hold (section 6), or
//! that is nested more than 127 levels deep.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

/// Reads a whole text. The error says why it cannot be, and where.
pub fn read_json(text: &[u8]) -> Result<Value, serde_json::Error> {
    serde_json::from_slice::<Strict>(text).map(|Strict(value)| value)
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader).map(Self)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut found = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            found.push(item);
        }
        Ok(found.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut found = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if found.contains_key(&name) {
                let name = super::shortened(&name);
                return Err(A::Error::custom(format!("the name {name:?} comes twice in one object")));
            }
            let Strict(value) = members.next_value()?;
            found.insert(name, value);
        }
        Ok(found.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_what_has_one_meaning() {
        let text = br#"{"a":[1,-2,3.5,1e3,18446744073709551615,null,true,"x\u00e9"],"b":{"a":{}}}"#;
        let value = json!({"a": [1, -2, 3.5, 1e3, u64::MAX, null, true, "xé"], "b": {"a": {}}});
        assert_eq!(read_json(text).unwrap(), value);
    }

    #[test]
    fn refuses_what_readers_take_in_several_ways() {
        let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
        let texts: [(&[u8], &str); 9] = [
            (br#"{"a":1,"a":2}"#, r#"the name "a" comes twice in one object"#),
            (br#"[{"b":{"a":1,"\u0061":2}}]"#, "comes twice"),
            (b"1e400", "number out of range"),
            (b"NaN", "expected value"),
            (b"-Infinity", "invalid number"),
            (b"[1] 2", "trailing characters"),
            (b"\"\xff\"", "invalid unicode"),
            (b"", "EOF"),
            (deep.as_bytes(), "recursion limit exceeded"),
        ];
        for (text, why) in texts {
            let message = read_json(text).unwrap_err().to_string();
            assert!(message.contains(why), "{}: {message}", String::from_utf8_lossy(text));
        }
    }
}
