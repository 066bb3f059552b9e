//! Values and types in words, each of a bounded length however large the value is.

use std::fmt::{self, Display, Write as _};

/// Characters of a value or list that are shown.
const SHOWN: usize = 200;

/// The name of a type as it stands in a sentence.
pub fn with_article(name: &str) -> String {
    match name {
        "null" => "null".into(),
        "array" => "a list".into(),
        "object" | "integer" => format!("an {name}"),
        name => format!("a {name}"),
    }
}

/// `text`, or its head.
pub fn shortened(text: &str) -> String {
    cut(text, SHOWN)
}

/// `text`, or its first `limit` characters.
pub fn cut(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// The head of what `whole` displays; the rest is not even written, for it can be of any size.
pub fn shown(whole: &impl Display) -> String {
    struct Head(String);

    impl fmt::Write for Head {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            // No text has more characters than bytes, so what is enough is known to be.
            let end = text.char_indices().nth(SHOWN + 1).map_or(text.len(), |(end, _)| end);
            self.0.push_str(text.get(..end).unwrap_or_default());
            if self.0.len() > 4 * SHOWN { Err(fmt::Error) } else { Ok(()) }
        }
    }

    let mut head = Head(String::new());
    // It fails when there is enough.
    let _ = write!(head, "{whole}");
    shortened(&head.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_the_head_of_a_value_is_written() {
        struct Endless;

        impl Display for Endless {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                loop {
                    formatter.write_str("äb")?;
                }
            }
        }

        assert_eq!(shown(&Endless).chars().count(), SHOWN + 3);
        assert_eq!(shown(&json!({"a": [1]})), r#"{"a":[1]}"#);
    }
}
