//! Secrets in settings of plugins: texts that are not shown. Their schema says `writeOnly`, by which the control plane
//! knows to seal and to hide them.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error};
use std::borrow::Cow;
use std::fmt;

/// A text that prints as `[redacted]`.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// The text, for the server that it is for, and for digests.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // What serde says would quote the value.
        let text = String::deserialize(deserializer).map_err(|_| Error::custom("expected a text"))?;
        if text.is_empty() {
            return Err(Error::custom("expected a text that is not empty"));
        }
        Ok(Self(text))
    }
}

impl JsonSchema for Secret {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "minLength": 1, "writeOnly": true})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn does_not_show_itself() {
        let secret: Secret = serde_json::from_value(json!("sesame")).unwrap();
        assert_eq!((format!("{secret:?}"), secret.reveal()), ("[redacted]".into(), "sesame"));
        let error = serde_json::from_value::<Secret>(json!(47_11)).unwrap_err().to_string();
        assert_eq!(error, "expected a text");
        assert!(serde_json::from_value::<Secret>(json!("")).is_err());
    }
}
