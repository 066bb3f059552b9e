//! One comparison of a variable with a literal, with the types of lua-resty-expr.
//!
//! Texts compare as bytes. Where the literal is a number the variable is read as one, and what is no number equals none
//! and has no order. A variable without value equals nothing, has no order and matches no pattern.

use crate::exchange::Exchange;
use crate::near::near;
use crate::network::Networks;
use crate::variable::{Variable, with_buffer};
use regex::{Regex, RegexBuilder};
use serde_json::Value;
use std::cmp::Ordering;

const OPERATORS: &[&str] = &["==", "~=", ">", ">=", "<", "<=", "~~", "~*", "in", "has", "ipmatch"];

#[derive(Debug)]
pub(super) enum Comparison {
    Equals(Literal),
    Differs(Literal),
    Orders(fn(Ordering) -> bool, f64),
    Matches(Regex),
    In(Vec<Literal>),
    /// One of the variable's values is this one.
    Has(Literal),
    Network(Networks),
}

#[derive(Debug)]
pub(super) enum Literal {
    Text(Box<str>),
    Number(f64),
}

impl Literal {
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self::Text(text.as_str().into())),
            Value::Number(number) => number.as_f64().map(Self::Number),
            _ => None,
        }
    }

    fn equals(&self, value: &str) -> bool {
        match self {
            Self::Text(text) => **text == *value,
            Self::Number(number) => number_of(value) == Some(*number),
        }
    }
}

impl Comparison {
    /// Compiles an operator and its literal.
    ///
    /// # Errors
    /// Whether the operator is at fault, or else the literal, and what is wrong.
    pub fn compile(operator: &str, literal: &Value) -> Result<Self, (bool, String)> {
        let of_literal = |why: String| (false, why);
        let scalar = || {
            let why = format!("{operator:?} compares with a text or a number, and this is {literal}");
            Literal::read(literal).ok_or((false, why))
        };
        let order =
            |test: fn(Ordering) -> bool| number(operator, literal).map(|limit| Self::Orders(test, limit));
        match operator.to_ascii_lowercase().as_str() {
            "==" => scalar().map(Self::Equals),
            "~=" => scalar().map(Self::Differs),
            "has" => scalar().map(Self::Has),
            ">" => order(Ordering::is_gt).map_err(of_literal),
            ">=" => order(Ordering::is_ge).map_err(of_literal),
            "<" => order(Ordering::is_lt).map_err(of_literal),
            "<=" => order(Ordering::is_le).map_err(of_literal),
            "~~" => pattern(literal, false).map(Self::Matches).map_err(of_literal),
            "~*" => pattern(literal, true).map(Self::Matches).map_err(of_literal),
            "in" => list(literal).map(Self::In).map_err(of_literal),
            "ipmatch" => networks(literal).map(Self::Network).map_err(of_literal),
            _ => {
                let hint = match (operator, near(operator, OPERATORS.iter().copied())) {
                    ("=" | "===", _) => "did you mean \"==\"?".to_owned(),
                    ("!=" | "<>", _) => "did you mean \"~=\"?".to_owned(),
                    (_, Some(near)) => format!("did you mean {near:?}?"),
                    _ => format!("there are {}", OPERATORS.join(" ")),
                };
                Err((true, format!("there is no operator {operator:?}; {hint}")))
            }
        }
    }

    /// Whether the comparison holds for the value of `variable` in `exchange`.
    pub fn holds(&self, variable: &Variable, exchange: &Exchange) -> bool {
        if let Self::Has(literal) = self {
            return variable.each(exchange, &mut |value| literal.equals(value));
        }
        with_buffer(|buffer| match variable.read(exchange, buffer) {
            true => self.holds_of(buffer),
            false => matches!(self, Self::Differs(_)),
        })
    }

    fn holds_of(&self, value: &str) -> bool {
        match self {
            Self::Equals(literal) | Self::Has(literal) => literal.equals(value),
            Self::Differs(literal) => !literal.equals(value),
            Self::Orders(test, limit) => {
                number_of(value).and_then(|number| number.partial_cmp(limit)).is_some_and(test)
            }
            Self::Matches(pattern) => pattern.is_match(value),
            Self::In(literals) => literals.iter().any(|literal| literal.equals(value)),
            Self::Network(networks) => value.parse().is_ok_and(|address| networks.contain(address)),
        }
    }
}

/// A finite number in decimal; `inf` and `nan` are texts.
fn number_of(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

fn number(operator: &str, literal: &Value) -> Result<f64, String> {
    let number = literal.as_f64().or_else(|| number_of(literal.as_str()?));
    number.ok_or_else(|| format!("{operator:?} compares with a number, and this is {literal}"))
}

fn pattern(literal: &Value, ignores_case: bool) -> Result<Regex, String> {
    let Some(text) = literal.as_str() else {
        return Err(format!("expected a regular expression, and this is {literal}"));
    };
    let built = RegexBuilder::new(text).case_insensitive(ignores_case).build();
    built.map_err(|error| {
        let why = error.to_string();
        let last = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
        format!("the regular expression cannot be used: {last}")
    })
}

fn list(literal: &Value) -> Result<Vec<Literal>, String> {
    let why = || format!("\"in\" takes a list of texts and numbers, and this is {literal}");
    let values = literal.as_array().ok_or_else(why)?;
    values.iter().map(|value| Literal::read(value).ok_or_else(why)).collect()
}

fn networks(literal: &Value) -> Result<Networks, String> {
    let why = || format!("\"ipmatch\" takes an address or network, or a list of them, and this is {literal}");
    let texts: Option<Vec<&str>> = match literal {
        Value::String(text) => Some(vec![text.as_str()]),
        Value::Array(values) => values.iter().map(Value::as_str).collect(),
        _ => None,
    };
    Networks::parse(&texts.ok_or_else(why)?).map_err(|(_, why)| why)
}
