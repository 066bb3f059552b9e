//! What a GraphQL request asks for: the kind, name and root fields of the operation that a server would execute.
//!
//! A reader of executable documents (GraphQL, October 2021, section 2) that keeps no tree and does not recurse, so that
//! no nesting can exhaust the stack. It knows no schema and does not validate; a document that cannot be read has no
//! operation, and then no predicate of it holds. Fields inside fragments at the root count as root fields: a client
//! must not hide one from the router behind `...`.

use std::collections::{HashMap, HashSet};
use std::iter::Peekable;

/// What of an operation a variable stands for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum GraphQlPart {
    Operation,
    Name,
    RootFields,
}

/// The operation that is executed.
#[derive(Debug, Eq, PartialEq)]
pub struct Operation {
    kind: Kind,
    name: Option<Box<str>>,
    root_fields: Vec<Box<str>>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Query,
    Mutation,
    Subscription,
}

impl Kind {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "query" => Some(Self::Query),
            "mutation" => Some(Self::Mutation),
            "subscription" => Some(Self::Subscription),
            _ => None,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Mutation => "mutation",
            Self::Subscription => "subscription",
        }
    }
}

impl Operation {
    /// The operation named `wanted` of `document`, or its only one. None where there is no such operation, where several
    /// could be meant, or where the text is no executable document.
    pub fn read(document: &str, wanted: Option<&str>) -> Option<Self> {
        let mut tokens = Tokens { rest: document }.peekable();
        let mut chosen = None;
        let mut fragments = HashMap::new();
        while let Some(token) = tokens.next() {
            let (kind, name) = match token {
                Token::Punctuator('{') => (Kind::Query, None),
                Token::Name("fragment") => {
                    let name = take_name(&mut tokens)?;
                    skip_to_selection(&mut tokens)?;
                    fragments.insert(name, Selection::read(&mut tokens)?);
                    continue;
                }
                Token::Name(word) => {
                    let name = take_name(&mut tokens);
                    skip_to_selection(&mut tokens)?;
                    (Kind::parse(word)?, name)
                }
                _ => return None,
            };
            let selection = Selection::read(&mut tokens)?;
            let is_meant = wanted.is_none_or(|wanted| name == Some(wanted));
            if is_meant && chosen.replace((kind, name, selection)).is_some() {
                return None;
            }
        }
        let (kind, name, selection) = chosen?;
        let root_fields = selection.with_fragments(&fragments)?;
        Some(Self { kind, name: name.map(Box::from), root_fields })
    }

    /// Offers the values of `part` until `take` takes one; whether it did.
    pub fn each(&self, part: GraphQlPart, take: &mut dyn FnMut(&str) -> bool) -> bool {
        match part {
            GraphQlPart::Operation => take(self.kind.word()),
            GraphQlPart::Name => self.name.as_deref().is_some_and(take),
            GraphQlPart::RootFields => self.root_fields.iter().any(|field| take(field)),
        }
    }
}

/// The first level of a selection set.
#[derive(Default)]
struct Selection<'d> {
    fields: Vec<&'d str>,
    spreads: Vec<&'d str>,
}

impl<'d> Selection<'d> {
    /// Reads what follows the opening brace up to the closing one.
    fn read(tokens: &mut Peekable<Tokens<'d>>) -> Option<Self> {
        let mut selection = Self::default();
        // For each open brace, whether what stands in it belongs to the first level.
        let mut levels = vec![true];
        let mut is_inline = false;
        while let Some(is_first) = levels.last().copied() {
            match tokens.next()? {
                Token::Punctuator('{') => levels.push(is_first && std::mem::take(&mut is_inline)),
                Token::Punctuator('}') => drop(levels.pop()),
                Token::Punctuator('(') => skip_parentheses(tokens)?,
                Token::Punctuator('@') => drop(take_name(tokens)?),
                Token::Spread => match tokens.peek() {
                    Some(Token::Name("on")) => {
                        tokens.next();
                        take_name(tokens)?;
                        is_inline = true;
                    }
                    Some(Token::Name(_)) => {
                        let name = take_name(tokens)?;
                        is_inline = false;
                        selection.spreads.extend(is_first.then_some(name));
                    }
                    _ => is_inline = true,
                },
                Token::Name(mut name) => {
                    is_inline = false;
                    if tokens.next_if(|token| matches!(token, Token::Punctuator(':'))).is_some() {
                        name = take_name(tokens)?;
                    }
                    selection.fields.extend(is_first.then_some(name));
                }
                _ => return None,
            }
        }
        Some(selection)
    }

    /// The fields with those of the fragments that are spread here, directly or through others.
    fn with_fragments(&self, fragments: &HashMap<&'d str, Self>) -> Option<Vec<Box<str>>> {
        let mut fields: Vec<Box<str>> = self.fields.iter().copied().map(Box::from).collect();
        let mut open = self.spreads.clone();
        let mut seen = HashSet::new();
        while let Some(name) = open.pop() {
            if seen.insert(name) {
                let fragment = fragments.get(name)?;
                fields.extend(fragment.fields.iter().copied().map(Box::from));
                open.extend(&fragment.spreads);
            }
        }
        Some(fields)
    }
}

fn take_name<'d>(tokens: &mut Peekable<Tokens<'d>>) -> Option<&'d str> {
    match tokens.next_if(|token| matches!(token, Token::Name(_)))? {
        Token::Name(name) => Some(name),
        _ => None,
    }
}

/// Skips variables, type conditions and directives before a selection set, and its opening brace.
fn skip_to_selection(tokens: &mut Peekable<Tokens<'_>>) -> Option<()> {
    loop {
        match tokens.next()? {
            Token::Punctuator('{') => return Some(()),
            Token::Punctuator('(') => skip_parentheses(tokens)?,
            Token::Punctuator('@') | Token::Name(_) => {}
            _ => return None,
        }
    }
}

fn skip_parentheses(tokens: &mut Peekable<Tokens<'_>>) -> Option<()> {
    let mut depth = 1;
    while depth > 0 {
        match tokens.next()? {
            Token::Punctuator('(') => depth += 1,
            Token::Punctuator(')') => depth -= 1,
            _ => {}
        }
    }
    Some(())
}

enum Token<'d> {
    Name(&'d str),
    Punctuator(char),
    Spread,
    /// A number or string, whose value is of no interest here.
    Value,
    /// What no token starts with, or a string without end.
    Malformed,
}

struct Tokens<'d> {
    rest: &'d str,
}

impl<'d> Tokens<'d> {
    fn take_while(&mut self, is_part: impl Fn(char) -> bool) -> &'d str {
        let end = self.rest.find(|letter| !is_part(letter)).unwrap_or(self.rest.len());
        self.take(end)
    }

    fn take(&mut self, length: usize) -> &'d str {
        let (taken, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    /// Skips white space, commas, comments and byte order marks (section 2.1.7).
    fn skip_ignored(&mut self) {
        loop {
            self.take_while(|letter| matches!(letter, ' ' | '\t' | '\r' | '\n' | ',' | '\u{feff}'));
            if !self.rest.starts_with('#') {
                return;
            }
            self.take_while(|letter| !matches!(letter, '\r' | '\n'));
        }
    }

    /// Takes a string (section 2.9.4), whose first quote is next.
    fn string(&mut self) -> Token<'d> {
        let is_block = self.rest.starts_with("\"\"\"");
        let quote = if is_block { "\"\"\"" } else { "\"" };
        self.take(quote.len());
        loop {
            let stop = self.rest.find(['"', '\\', '\n', '\r']);
            let Some(stop) = stop else { return Token::Malformed };
            self.take(stop);
            if self.rest.starts_with(quote) {
                self.take(quote.len());
                return Token::Value;
            }
            let length = match self.rest.chars().next() {
                Some('\\') if is_block && self.rest.starts_with("\\\"\"\"") => 4,
                Some('\\') if !is_block => 1 + self.rest.chars().nth(1).map_or(0, char::len_utf8),
                Some('\n' | '\r') if !is_block => return Token::Malformed,
                _ => 1,
            };
            self.take(length);
        }
    }
}

impl<'d> Iterator for Tokens<'d> {
    type Item = Token<'d>;

    fn next(&mut self) -> Option<Token<'d>> {
        self.skip_ignored();
        let first = self.rest.chars().next()?;
        let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        Some(match first {
            '"' => self.string(),
            '.' if self.rest.starts_with("...") => {
                self.take(3);
                Token::Spread
            }
            '-' | '0'..='9' => {
                self.take_while(|letter| is_word(letter) || matches!(letter, '.' | '+' | '-'));
                Token::Value
            }
            '!' | '$' | '&' | '(' | ')' | ':' | '=' | '@' | '[' | ']' | '{' | '|' | '}' => {
                self.take(1);
                Token::Punctuator(first)
            }
            _ if is_word(first) => Token::Name(self.take_while(is_word)),
            _ => {
                self.rest = "";
                Token::Malformed
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(document: &str, wanted: Option<&str>) -> Option<(&'static str, Option<String>, String)> {
        let operation = Operation::read(document, wanted)?;
        let fields: Vec<_> = operation.root_fields.iter().map(AsRef::as_ref).collect();
        Some((operation.kind.word(), operation.name.map(String::from), fields.join(" ")))
    }

    #[test]
    fn finds_the_kind_the_name_and_the_root_fields() {
        for (document, kind, name, fields) in [
            ("{ a b }", "query", None, "a b"),
            ("{a,b{c{d}}e}", "query", None, "a b e"),
            ("query { a }", "query", None, "a"),
            ("mutation Add { alias: add(x: {y: \"}\"}) { id } }", "mutation", Some("Add"), "add"),
            ("subscription S($a: I = {b: [1, -2.5e3]}) @d(if: true) { on }", "subscription", Some("S"), "on"),
            ("# {x}\n{ a(s: \"\"\"}\"\\\"\"\" {\n\"\"\") @skip(if: $no) b }", "query", None, "a b"),
            ("{ a(s: \"\\\"}\\\\\") b }", "query", None, "a b"),
            ("{ ... { a } ... on Q @d { b { x } ... { c } } d { ... { x } } }", "query", None, "a b c d"),
            (
                "fragment F on Q { b ...G } query N { a ...F } fragment G on Q { c ...F }",
                "query",
                Some("N"),
                "a b c",
            ),
        ] {
            let found = read(document, None);
            assert_eq!(found, Some((kind, name.map(String::from), fields.to_owned())), "{document}");
        }
    }

    #[test]
    fn takes_the_operation_that_the_request_names() {
        let document = "query Safe { a } mutation Risky { b }";
        assert_eq!(read(document, Some("Risky")).unwrap().0, "mutation");
        assert_eq!(read(document, Some("Safe")).unwrap().0, "query");
        assert_eq!(read(document, Some("None")), None);
        assert_eq!(read(document, None), None);
    }

    #[test]
    fn has_no_operation_where_the_document_cannot_be_read() {
        for document in [
            "",
            "{",
            "{ a",
            "}",
            "{ a \"unterminated }",
            "{ a(b: 1 }",
            "type Q { a: I }",
            "{ ...Missing }",
            "{ ? }",
        ] {
            assert_eq!(read(document, None), None, "{document}");
        }
    }

    #[test]
    fn deep_nesting_is_read_without_recursion() {
        let document = format!("{}{}", "{a".repeat(100_000), "}".repeat(100_000));
        assert_eq!(read(&document, None).unwrap().2, "a");
    }
}
