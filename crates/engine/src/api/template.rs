//! The path of an operation with its parameters, `/pets/{id}.json`, and their values in the path of a request.

use crate::http::path::normalise_literal;

/// Text, then a parameter, text, a parameter, ... and text at the end, which may be empty.
pub struct PathTemplate {
    /// Each parameter with the text before it.
    parameters: Vec<(String, String)>,
    rest: String,
}

impl PathTemplate {
    /// Reads `/pets/{id}`; an error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parameters = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or("has a { without a }")?;
            parameters.push((spelled(before)?, name.to_owned()));
            rest = after;
        }
        Ok(Self { parameters, rest: spelled(rest)? })
    }

    /// The parameters of `path`, each with its text as it stands there; none where it is another path. A value ends
    /// where the text after it first comes, and has no slash.
    pub fn values<'a>(&'a self, path: &'a str) -> Option<Vec<(&'a str, &'a str)>> {
        let mut values = Vec::with_capacity(self.parameters.len());
        let mut left = path;
        let mut parameters = self.parameters.iter().peekable();
        while let Some((before, name)) = parameters.next() {
            left = left.strip_prefix(before.as_str())?;
            let (value, after) = match parameters.peek() {
                Some((next, _)) => left.split_at(end_of_value(left, next)?),
                // The text at the end is there once, whatever the value has of it.
                None => left.split_at(left.strip_suffix(self.rest.as_str())?.len()),
            };
            if value.is_empty() || value.contains('/') {
                return None;
            }
            values.push((name.as_str(), value));
            left = after;
        }
        (left == self.rest).then_some(values)
    }
}

/// Where the text `next` begins in `left`, not at its very start, for a value is not empty.
fn end_of_value(left: &str, next: &str) -> Option<usize> {
    if next.is_empty() {
        // Two parameters side by side: the first is one character.
        return left.chars().next().map(char::len_utf8);
    }
    left.char_indices()
        .skip(1)
        .map(|(at, _)| at)
        .find(|at| left.get(*at..).is_some_and(|rest| rest.starts_with(next)))
}

fn spelled(text: &str) -> Result<String, String> {
    normalise_literal(text).map(std::borrow::Cow::into_owned).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(template: &str, path: &str) -> Option<String> {
        let template = PathTemplate::parse(template).unwrap();
        let values = template.values(path)?;
        Some(values.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn finds_the_values_of_parameters() {
        for (template, path, expected) in [
            ("/pets/{id}", "/pets/7", Some("id=7")),
            ("/pets/{id}", "/pets/a%2Fb", Some("id=a%2Fb")),
            ("/pets/{id}/toys/{toy}", "/pets/7/toys/b", Some("id=7 toy=b")),
            ("/files/{name}.{kind}", "/files/a.b.c", Some("name=a kind=b.c")),
            ("/files/{name}.json", "/files/a.json.json", Some("name=a.json")),
            ("/caf\u{e9}/{id}", "/caf%C3%A9/1", Some("id=1")),
            ("/matrix/{id}/", "/matrix/;id=1/", Some("id=;id=1")),
            ("/pets/{id}", "/pets/", None),
            ("/pets/{id}", "/pets/1/2", None),
            ("/pets/{id}", "/cats/1", None),
        ] {
            assert_eq!(values(template, path).as_deref(), expected, "{template} {path}");
        }
    }
}
