//! Expressions as they are written, `["arg_name", "==", "jack"]` and lists of them, and their compiled tree.
//!
//! The shapes are those of lua-resty-expr: a list of expressions, of which all must hold; a list that begins with `AND`,
//! `OR`, `!AND` or `!OR`; a comparison, with `!` before its operator where it is negated. A comparison of two parts asks
//! for equality.

use super::comparison::Comparison;
use crate::exchange::Exchange;
use crate::variable::Variable;
use serde_json::Value;

/// What is wrong with an expression: a JSON pointer into it, and a sentence.
pub type Problem = (String, String);

/// A compiled expression.
#[derive(Debug)]
pub struct Expression {
    root: Node,
    needs_body: bool,
}

#[derive(Debug)]
enum Node {
    All { nodes: Vec<Node>, negated: bool },
    Any { nodes: Vec<Node>, negated: bool },
    Compare { variable: Variable, comparison: Comparison, negated: bool },
}

impl Expression {
    /// Compiles the expressions of `rules`; none where there are none, which takes everything.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn compile(rules: &[Value]) -> Result<Option<Self>, Vec<Problem>> {
        if rules.is_empty() {
            return Ok(None);
        }
        let mut compiler = Compiler { problems: Vec::new(), needs_body: false };
        let root = match rules.first() {
            Some(Value::String(word)) if connective(word).is_none() => {
                let why = "a single comparison stands in a list of its own: [[\"arg_a\", \"==\", \"b\"]]";
                compiler.refuse("", why)
            }
            _ => compiler.list(rules, ""),
        };
        match root {
            Some(root) if compiler.problems.is_empty() => {
                Ok(Some(Self { root, needs_body: compiler.needs_body }))
            }
            _ => Err(compiler.problems),
        }
    }

    /// Whether a variable of the body is compared.
    pub fn needs_body(&self) -> bool {
        self.needs_body
    }

    pub fn holds(&self, exchange: &Exchange) -> bool {
        self.root.holds(exchange)
    }
}

impl Node {
    fn holds(&self, exchange: &Exchange) -> bool {
        match self {
            Node::All { nodes, negated } => nodes.iter().all(|node| node.holds(exchange)) != *negated,
            Node::Any { nodes, negated } => nodes.iter().any(|node| node.holds(exchange)) != *negated,
            Node::Compare { variable, comparison, negated } => {
                comparison.holds(variable, exchange) != *negated
            }
        }
    }
}

/// Whether all or any of a list must hold, and whether that is negated.
fn connective(word: &str) -> Option<(bool, bool)> {
    match word.to_ascii_uppercase().as_str() {
        "AND" => Some((true, false)),
        "!AND" => Some((true, true)),
        "OR" => Some((false, false)),
        "!OR" => Some((false, true)),
        _ => None,
    }
}

struct Compiler {
    problems: Vec<Problem>,
    needs_body: bool,
}

impl Compiler {
    fn refuse<T>(&mut self, at: &str, why: impl Into<String>) -> Option<T> {
        self.problems.push((at.to_owned(), why.into()));
        None
    }

    /// The list at `at`. Its depth is bounded by that of the JSON reader.
    fn list(&mut self, rules: &[Value], at: &str) -> Option<Node> {
        match rules.first() {
            None => self.refuse(at, "an expression must not be empty"),
            Some(Value::Array(_)) => {
                Some(Node::All { nodes: self.members(rules.iter().enumerate(), at)?, negated: false })
            }
            Some(Value::String(word)) => match connective(word) {
                Some(_) if rules.len() < 3 => {
                    self.refuse(at, format!("{word:?} takes two expressions or more"))
                }
                Some((is_all, negated)) => {
                    let nodes = self.members(rules.iter().enumerate().skip(1), at)?;
                    Some(match is_all {
                        true => Node::All { nodes, negated },
                        false => Node::Any { nodes, negated },
                    })
                }
                None => self.comparison(word, rules, at),
            },
            Some(_) => self.refuse(
                &format!("{at}/0"),
                "expected the name of a variable, one of AND, OR, !AND and !OR, or an expression",
            ),
        }
    }

    fn members<'v>(
        &mut self,
        members: impl Iterator<Item = (usize, &'v Value)>,
        at: &str,
    ) -> Option<Vec<Node>> {
        let compile = |(index, member): (usize, &'v Value)| {
            let at = format!("{at}/{index}");
            match member {
                Value::Array(rules) => self.list(rules, &at),
                _ => self.refuse(&at, "expected an expression, which is a list"),
            }
        };
        // All are compiled, so that all problems are told.
        let nodes: Vec<_> = members.map(compile).collect();
        nodes.into_iter().collect()
    }

    fn comparison(&mut self, name: &str, rules: &[Value], at: &str) -> Option<Node> {
        let (negated, operator, literal, literal_at) = match rules {
            [_, literal] => (false, "==", literal, 1),
            [_, Value::String(operator), literal] => (false, operator.as_str(), literal, 2),
            [_, Value::String(not), Value::String(operator), literal] if not == "!" => {
                (true, operator.as_str(), literal, 3)
            }
            _ => {
                let why = "a comparison is [variable, operator, value] or [variable, \"!\", operator, value]";
                return self.refuse(at, why);
            }
        };
        let variable = match Variable::parse_for_route(name) {
            Ok(variable) => Some(variable),
            Err(why) => self.refuse(&format!("{at}/0"), why),
        };
        let comparison = match Comparison::compile(operator, literal) {
            Ok(comparison) => Some(comparison),
            Err((is_operator, why)) => {
                let place = if is_operator { literal_at - 1 } else { literal_at };
                self.refuse(&format!("{at}/{place}"), why)
            }
        };
        let variable = variable?;
        self.needs_body |= variable.is_of_body();
        Some(Node::Compare { variable, comparison: comparison?, negated })
    }
}
