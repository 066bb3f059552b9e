//! Labels of a consumer, by which plugins tell who may do what. A label's text may be a list: `a,b`, or `["a", "b"]`.
//!
//! A consumer without labels takes no memory for them; there may be a hundred thousand.

use std::collections::BTreeMap;

/// Names and values; a name whose text is a list stands once for each of its values.
#[derive(Default)]
pub struct Labels(Box<[(Box<str>, Box<str>)]>);

impl Labels {
    pub(super) fn new(labels: &BTreeMap<String, String>) -> Self {
        let pairs = labels.iter().flat_map(|(name, text)| {
            values(text).into_iter().map(|value| (name.as_str().into(), value.into()))
        });
        Self(pairs.collect())
    }

    /// The values of the label `name`.
    pub fn get(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(known, _)| **known == *name).map(|(_, value)| &**value)
    }
}

/// What a text means: a list in JSON, a list with commas, or itself.
pub fn values(text: &str) -> Vec<String> {
    if text.starts_with('[') {
        return serde_json::from_str(text).unwrap_or_default();
    }
    text.split(',').map(|value| value.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_may_be_a_list() {
        let labels = [("team", "a, b,c"), ("role", r#"["x,y","z"]"#), ("one", "1 2"), ("broken", "[1")];
        let labels = labels.map(|(name, text)| (name.to_owned(), text.to_owned()));
        let labels = Labels::new(&labels.into());
        for (name, expected) in [
            ("team", vec!["a", "b", "c"]),
            ("role", vec!["x,y", "z"]),
            ("one", vec!["1 2"]),
            ("broken", vec![]),
            ("no", vec![]),
        ] {
            assert_eq!(labels.get(name).collect::<Vec<_>>(), expected, "{name}");
        }
    }
}
