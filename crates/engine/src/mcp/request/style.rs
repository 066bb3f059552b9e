//! OpenAPI's parameter styles: one value becomes text by `style` and `explode` (OpenAPI 3.1.1 section 4.8.12, which
//! follows RFC 6570). Values are plain, lists of plain values or flat objects; what nests deeper has no style that
//! could carry it, and is told so.

use super::escape::{self, Place};
use crate::snapshot::{Location, Parameter, Style};
use serde_json::Value;

/// A value that a style can carry. Members that are null are left out (RFC 6570 section 2.3).
#[derive(Debug)]
pub enum Shape {
    Plain(String),
    List(Vec<String>),
    /// Each member with its value, or with several in a `deepObject`.
    Members(Vec<(String, Vec<String>)>),
}

/// Text of a plain value as JSON has it, strings without quotes; none for null, lists and objects.
pub fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

impl Shape {
    /// The shape of `value`; none for null. The error says what does not fit, to be put after the argument's name.
    pub fn of(value: &Value, style: Style) -> Result<Option<Self>, String> {
        let member = |value: &Value| {
            plain(value)
                .ok_or_else(|| "may only hold plain values here, not lists or objects within it".to_owned())
        };
        match value {
            Value::Null => Ok(None),
            Value::Array(items) if style == Style::DeepObject => {
                Err(format!("must be an object, and is a list of {}", items.len()))
            }
            Value::Array(items) => {
                let items = items.iter().filter(|item| !item.is_null());
                Ok(Some(Self::List(items.map(member).collect::<Result<_, _>>()?)))
            }
            Value::Object(members) => {
                let mut shape = Vec::with_capacity(members.len());
                for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
                    let values = match value {
                        Value::Array(items) if style == Style::DeepObject => items
                            .iter()
                            .filter(|item| !item.is_null())
                            .map(member)
                            .collect::<Result<_, _>>()?,
                        value => vec![member(value)?],
                    };
                    shape.push((name.clone(), values));
                }
                Ok(Some(Self::Members(shape)))
            }
            value if style == Style::DeepObject => Err(format!("must be an object, and is {value}")),
            value => Ok(plain(value).map(Self::Plain)),
        }
    }

    /// Whether nothing is left to write: RFC 6570 treats an empty list as undefined.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::List(items) => items.is_empty(),
            Self::Members(members) => members.is_empty(),
        }
    }
}

/// The value of `parameter` as one text, for a path or a header. A style that does not belong there counts as `simple`
/// with its own delimiter.
pub fn text(parameter: &Parameter, shape: &Shape, place: Place) -> String {
    let mut out = String::new();
    let explode = parameter.explode;
    match parameter.style {
        Style::Label if parameter.location == Location::Path => {
            out.push('.');
            joined(&mut out, shape, place, if explode { "." } else { "," }, explode);
        }
        Style::Matrix if parameter.location == Location::Path => matrix(&mut out, parameter, shape),
        style => joined(&mut out, shape, place, delimiter(style, place), explode),
    }
    out
}

/// The pairs `name=value` of `parameter`, each written for `place`, for a query, a form or cookies.
pub fn pairs(parameter: &Parameter, shape: &Shape, place: Place) -> Vec<String> {
    let name = parameter.name.as_str();
    match shape {
        Shape::Plain(text) => vec![pair(name, text, place)],
        Shape::List(items) if parameter.explode => items.iter().map(|item| pair(name, item, place)).collect(),
        Shape::Members(members) if parameter.style == Style::DeepObject => {
            let each = |(member, values): &(String, Vec<String>)| {
                let name = format!("{name}[{member}]");
                values.iter().map(|value| pair(&name, value, place)).collect::<Vec<_>>()
            };
            members.iter().flat_map(each).collect()
        }
        Shape::Members(members) if parameter.explode => members
            .iter()
            .flat_map(|(name, values)| values.iter().map(move |value| pair(name, value, place)))
            .collect(),
        shape => {
            let mut out = pair(name, "", place);
            joined(&mut out, shape, place, delimiter(parameter.style, place), false);
            vec![out]
        }
    }
}

fn pair(name: &str, value: &str, place: Place) -> String {
    let mut out = String::with_capacity(name.len() + value.len() + 1);
    escape::push(&mut out, name_place(place), name);
    out.push('=');
    escape::push(&mut out, place, value);
    out
}

/// Names may come from an argument's members too, so they are always encoded whole.
fn name_place(place: Place) -> Place {
    match place {
        Place::Form => Place::Form,
        _ => Place::Query,
    }
}

fn matrix(out: &mut String, parameter: &Parameter, shape: &Shape) {
    let mut one = |name: &str, value: &str| {
        out.push(';');
        escape::push(out, Place::Path, name);
        // RFC 6570 section 3.2.7: an empty value has no equals sign.
        if !value.is_empty() {
            out.push('=');
            out.push_str(value);
        }
    };
    let written = |text: &str| {
        let mut value = String::new();
        escape::push(&mut value, Place::Path, text);
        value
    };
    match shape {
        Shape::List(items) if parameter.explode => {
            for item in items {
                one(&parameter.name, &written(item));
            }
        }
        Shape::Members(members) if parameter.explode => {
            for (name, values) in members {
                one(name, &written(&values.concat()));
            }
        }
        shape => {
            let mut value = String::new();
            joined(&mut value, shape, Place::Path, ",", false);
            one(&parameter.name, &value);
        }
    }
}

/// `a,b,c`; of members `name,value,...`, or `name=value,...` where they are exploded.
fn joined(out: &mut String, shape: &Shape, place: Place, delimiter: &str, explode: bool) {
    let mut first = true;
    let mut push = |text: &str, before: &str| {
        if !std::mem::take(&mut first) {
            out.push_str(before);
        }
        escape::push(out, place, text);
    };
    match shape {
        Shape::Plain(text) => push(text, delimiter),
        Shape::List(items) => items.iter().for_each(|item| push(item, delimiter)),
        Shape::Members(members) => {
            for (name, values) in members {
                push(name, delimiter);
                push(&values.concat(), if explode { "=" } else { delimiter });
            }
        }
    }
}

/// What stands between the values of a list; encoded where the place wants it so.
fn delimiter(style: Style, place: Place) -> &'static str {
    let as_it_is = matches!(place, Place::Header);
    match style {
        Style::SpaceDelimited if as_it_is => " ",
        Style::SpaceDelimited if place == Place::Form => "+",
        Style::SpaceDelimited => "%20",
        Style::PipeDelimited if as_it_is => "|",
        Style::PipeDelimited => "%7C",
        Style::TabDelimited if as_it_is => "\t",
        Style::TabDelimited => "%09",
        // A comma would end a cookie's value.
        _ if place == Place::Cookie => "%2C",
        _ => ",",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parameter(location: Location, style: Style, explode: bool) -> Parameter {
        let (argument, name) = ("color".into(), "color".into());
        Parameter { argument, location, name, style, explode, allow_reserved: false, media_type: None }
    }

    fn values() -> [Value; 4] {
        [json!(""), json!("blue"), json!(["blue", "black", "brown"]), json!({"R": 100, "G": 200, "B": 150})]
    }

    fn row(location: Location, style: Style, explode: bool) -> Vec<String> {
        let parameter = parameter(location, style, explode);
        let written = |value: &Value| match Shape::of(value, style) {
            Err(_) | Ok(None) => "n/a".to_owned(),
            Ok(Some(shape)) => match location {
                Location::Path => text(&parameter, &shape, Place::Path),
                Location::Header => text(&parameter, &shape, Place::Header),
                Location::Query => pairs(&parameter, &shape, Place::Query).join("&"),
                Location::Cookie => pairs(&parameter, &shape, Place::Cookie).join("; "),
            },
        };
        values().iter().map(written).collect()
    }

    /// The table of section 4.8.12.4, and what the location makes of it.
    const TABLE: &[(Location, Style, bool, [&str; 4])] = &[
        (
            Location::Path,
            Style::Matrix,
            false,
            [";color", ";color=blue", ";color=blue,black,brown", ";color=R,100,G,200,B,150"],
        ),
        (
            Location::Path,
            Style::Matrix,
            true,
            [";color", ";color=blue", ";color=blue;color=black;color=brown", ";R=100;G=200;B=150"],
        ),
        (Location::Path, Style::Label, false, [".", ".blue", ".blue,black,brown", ".R,100,G,200,B,150"]),
        (Location::Path, Style::Label, true, [".", ".blue", ".blue.black.brown", ".R=100.G=200.B=150"]),
        (Location::Path, Style::Simple, false, ["", "blue", "blue,black,brown", "R,100,G,200,B,150"]),
        (Location::Path, Style::Simple, true, ["", "blue", "blue,black,brown", "R=100,G=200,B=150"]),
        (Location::Header, Style::Simple, false, ["", "blue", "blue,black,brown", "R,100,G,200,B,150"]),
        (Location::Header, Style::Simple, true, ["", "blue", "blue,black,brown", "R=100,G=200,B=150"]),
        (
            Location::Query,
            Style::Form,
            false,
            ["color=", "color=blue", "color=blue,black,brown", "color=R,100,G,200,B,150"],
        ),
        (
            Location::Query,
            Style::Form,
            true,
            ["color=", "color=blue", "color=blue&color=black&color=brown", "R=100&G=200&B=150"],
        ),
        (
            Location::Query,
            Style::SpaceDelimited,
            false,
            ["color=", "color=blue", "color=blue%20black%20brown", "color=R%20100%20G%20200%20B%20150"],
        ),
        (
            Location::Query,
            Style::PipeDelimited,
            false,
            ["color=", "color=blue", "color=blue%7Cblack%7Cbrown", "color=R%7C100%7CG%7C200%7CB%7C150"],
        ),
        (
            Location::Query,
            Style::TabDelimited,
            false,
            ["color=", "color=blue", "color=blue%09black%09brown", "color=R%09100%09G%09200%09B%09150"],
        ),
        (
            Location::Query,
            Style::DeepObject,
            true,
            ["n/a", "n/a", "n/a", "color%5BR%5D=100&color%5BG%5D=200&color%5BB%5D=150"],
        ),
        (
            Location::Cookie,
            Style::Form,
            true,
            ["color=", "color=blue", "color=blue; color=black; color=brown", "R=100; G=200; B=150"],
        ),
        (
            Location::Cookie,
            Style::Form,
            false,
            ["color=", "color=blue", "color=blue%2Cblack%2Cbrown", "color=R%2C100%2CG%2C200%2CB%2C150"],
        ),
    ];

    #[test]
    fn writes_the_specification_s_table_of_style_examples() {
        for (location, style, explode, expected) in TABLE {
            let got = row(*location, *style, *explode);
            assert_eq!(got, expected, "{location:?} {style:?} explode {explode}");
        }
    }

    #[test]
    fn a_delimiter_within_a_value_is_encoded() {
        let shape = Shape::of(&json!(["a,b", "c|d"]), Style::Form).unwrap().unwrap();
        let written = pairs(&parameter(Location::Query, Style::Form, false), &shape, Place::Query);
        assert_eq!(written, ["color=a%2Cb,c%7Cd"]);
    }

    #[test]
    fn null_members_are_left_out() {
        let shape = Shape::of(&json!([1, null, true]), Style::Form).unwrap().unwrap();
        let written = pairs(&parameter(Location::Query, Style::Form, true), &shape, Place::Query);
        assert_eq!(written, ["color=1", "color=true"]);
        assert!(Shape::of(&json!({"a": null}), Style::Form).unwrap().unwrap().is_empty());
    }

    #[test]
    fn a_deep_object_repeats_the_name_for_a_list() {
        let shape = Shape::of(&json!({"tag": ["a", "b"]}), Style::DeepObject).unwrap().unwrap();
        let written = pairs(&parameter(Location::Query, Style::DeepObject, true), &shape, Place::Query);
        assert_eq!(written, ["color%5Btag%5D=a", "color%5Btag%5D=b"]);
    }

    #[test]
    fn what_nests_deeper_is_told() {
        let error = Shape::of(&json!({"a": {"b": 1}}), Style::DeepObject).unwrap_err();
        assert_eq!(error, "may only hold plain values here, not lists or objects within it");
    }

    #[test]
    fn large_integers_keep_every_digit() {
        assert_eq!(plain(&json!(9_007_199_254_740_993_i64)).unwrap(), "9007199254740993");
        assert_eq!(plain(&json!(u64::MAX)).unwrap(), "18446744073709551615");
    }
}
