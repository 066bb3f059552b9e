//! Text with variables in it, as `$http_x_tenant $uri`. It is parsed once, when its plugin is built; writing it out only
//! appends to a buffer.

use super::Variable;
use crate::exchange::Exchange;

/// Text with variables in it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Template {
    parts: Vec<Part>,
}

/// A piece of a template.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Part {
    Text(Box<str>),
    Variable(Variable),
    /// What the group of this number of a regex has matched.
    Group(usize),
}

impl Template {
    /// Parses `$name`, `${name}`, `$1` and `\$` (a dollar sign). A dollar sign before anything else is text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            let (before, from) = rest.split_at(at);
            let after = from.get(1..).unwrap_or_default();
            if let Some(before) = before.strip_suffix('\\') {
                literal.push_str(before);
                literal.push('$');
                rest = after;
                continue;
            }
            literal.push_str(before);
            let Some((name, after)) = take_name(after) else {
                literal.push('$');
                rest = after;
                continue;
            };
            if !literal.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut literal).into()));
            }
            parts.push(match name.parse() {
                Ok(group) => Part::Group(group),
                Err(_) => Part::Variable(Variable::parse(name)?),
            });
            rest = after;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Text(literal.into()));
        }
        Ok(Self { parts })
    }

    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The same template with its texts, as they were written, passed through `change`.
    pub fn map_text(self, change: impl Fn(&str) -> String) -> Self {
        let parts = self.parts.into_iter().map(|part| match part {
            Part::Text(text) => Part::Text(change(&text).into()),
            other => other,
        });
        Self { parts: parts.collect() }
    }

    /// The largest number of a group.
    pub fn largest_group(&self) -> Option<usize> {
        let groups = self.parts.iter().filter_map(|part| match part {
            Part::Group(number) => Some(*number),
            _ => None,
        });
        groups.max()
    }

    /// Appends the template's text for `exchange`; groups come from `groups`. Whether any variable had a value.
    pub fn write<'a>(
        &self,
        exchange: &Exchange,
        groups: impl Fn(usize) -> Option<&'a str>,
        buffer: &mut String,
    ) -> bool {
        let mut resolved = false;
        for part in &self.parts {
            match part {
                Part::Text(text) => buffer.push_str(text),
                Part::Variable(variable) => resolved |= variable.write(exchange, buffer),
                Part::Group(number) => buffer.push_str(groups(*number).unwrap_or_default()),
            }
        }
        resolved
    }
}

fn take_name(text: &str) -> Option<(&str, &str)> {
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    if let Some(braced) = text.strip_prefix('{') {
        let (name, rest) = braced.split_once('}')?;
        return (!name.is_empty() && name.chars().all(is_word)).then_some((name, rest));
    }
    // A group's number ends with its digits, so that `$1st` is group 1 and `st`.
    let is_number = text.starts_with(|letter: char| letter.is_ascii_digit());
    let end = match is_number {
        true => text.find(|letter: char| !letter.is_ascii_digit()),
        false => text.find(|letter| !is_word(letter)),
    };
    let (name, rest) = text.split_at(end.unwrap_or(text.len()));
    (!name.is_empty()).then_some((name, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugins::testing::{Bench, get};
    use serde_json::json;

    fn text(template: &str) -> Result<String, String> {
        let bench = Bench::new(json!({}));
        let exchange = bench.exchange(get("/p?x=1"));
        let mut text = String::new();
        let groups = ["0", "one", "two"];
        Template::parse(template)?.write(&exchange, |group| groups.get(group).copied(), &mut text);
        Ok(text)
    }

    #[test]
    fn a_template_mixes_text_variables_and_groups() {
        for (template, expected) in [
            ("", ""),
            ("text", "text"),
            ("$uri", "/p"),
            ("a${uri}b$arg_x-$method", "a/pb1-GET"),
            ("$1$2st${1}$3", "onetwostone"),
            ("100$ $. ${ ${} ${a b}", "100$ $. ${ ${} ${a b}"),
            ("\\$uri \\$$uri", "$uri $/p"),
            ("caf\u{e9}$uri", "caf\u{e9}/p"),
        ] {
            assert_eq!(text(template).as_deref(), Ok(expected), "{template}");
        }
        assert!(text("$nothing").unwrap_err().contains("there is no variable $nothing"));
    }

    #[test]
    fn a_template_tells_whether_any_variable_has_a_value() {
        let bench = Bench::new(json!({}));
        let exchange = bench.exchange(get("/?x=1"));
        let resolves = |text| Template::parse(text).unwrap().write(&exchange, |_| None, &mut String::new());
        assert!(resolves("$arg_none $arg_x"));
        assert!(!resolves("text $arg_none"));
    }
}
