//! The path of a tool's request: fixed text and the places of path parameters. Filling it in can neither add nor
//! remove a segment, nor make one that a server would read as "here" or "one up".

use super::escape::{self, Place};
use super::style::{self, Shape};
use crate::http::path::normalise;
use crate::snapshot::{Location, Parameter};
use percent_encoding::percent_decode_str;

/// A path template, taken apart: segments, each of text and parameters.
#[derive(Debug)]
pub struct PathTemplate {
    segments: Vec<Vec<Piece>>,
}

#[derive(Debug)]
enum Piece {
    Text(String),
    /// Index into the request's parameters.
    Parameter(usize),
}

impl PathTemplate {
    /// Takes `path` (without query) apart; `{name}` is a path parameter of that name. Every problem is told.
    pub fn build(path: &str, parameters: &[Parameter]) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        if !path.starts_with('/') {
            problems.push(format!("the path {path:?} does not begin with a slash"));
        }
        let mut used = Vec::new();
        let mut segments = Vec::new();
        for segment in split_outside_braces(path.strip_prefix('/').unwrap_or(path)) {
            let mut pieces = Vec::new();
            let mut rest = segment;
            while let Some((before, after)) = rest.split_once('{') {
                if !before.is_empty() {
                    pieces.push(Piece::Text(escape::literal(before)));
                }
                let Some((name, behind)) = after.split_once('}') else {
                    problems.push(format!("a brace is not closed in the path {path:?}"));
                    break;
                };
                let is_it =
                    |parameter: &Parameter| parameter.location == Location::Path && parameter.name == name;
                match parameters.iter().position(is_it) {
                    Some(index) => {
                        used.push(index);
                        pieces.push(Piece::Parameter(index));
                    }
                    None => {
                        problems.push(format!("the path has {{{name}}}, and no path parameter has that name"))
                    }
                }
                rest = behind;
            }
            if !rest.is_empty() {
                pieces.push(Piece::Text(escape::literal(rest)));
            }
            segments.push(pieces);
        }
        for (index, parameter) in parameters.iter().enumerate() {
            if parameter.location == Location::Path && !used.contains(&index) {
                problems.push(format!(
                    "the path parameter {:?} has no place in the path {path:?}",
                    parameter.name
                ));
            }
        }
        if problems.is_empty() { Ok(Self { segments }) } else { Err(problems) }
    }

    /// The path with `shapes` (by index of the parameter) filled in. Errors name the argument and say what it needs.
    pub fn fill(&self, parameters: &[Parameter], shapes: &[Option<Shape>]) -> Result<String, Vec<String>> {
        let mut path = String::new();
        let mut problems = Vec::new();
        for segment in &self.segments {
            path.push('/');
            let from = path.len();
            let mut last = None;
            for piece in segment {
                match piece {
                    Piece::Text(text) => path.push_str(text),
                    Piece::Parameter(index) => {
                        let Some(parameter) = parameters.get(*index) else { continue };
                        last = Some(parameter);
                        match shapes.get(*index).and_then(Option::as_ref) {
                            Some(shape) if !shape.is_empty() => {
                                path.push_str(&style::text(parameter, shape, Place::Path));
                            }
                            _ => problems
                                .push(format!("`{}` is needed and must not be empty", parameter.argument)),
                        }
                    }
                }
            }
            let Some(parameter) = last.filter(|_| problems.is_empty()) else { continue };
            let filled = path.get(from..).unwrap_or_default();
            if filled.is_empty() {
                problems.push(format!("`{}` is needed and must not be empty", parameter.argument));
            } else if climbs(filled) {
                problems.push(format!(
                    "`{}` must not be `.` or `..`, nor hold them as a part between slashes",
                    parameter.argument
                ));
            }
        }
        // The exchange refuses what it cannot spell in one way only; here the model is told why.
        if let (true, Err(error)) = (problems.is_empty(), normalise(&path)) {
            problems.push(format!("the arguments in the path cannot be sent: {error}"));
        }
        if problems.is_empty() { Ok(path) } else { Err(problems) }
    }
}

/// Whether the segment is a dot segment, or would hold one in a server that decodes `%2F` too early.
fn climbs(segment: &str) -> bool {
    let decoded = percent_decode_str(segment).decode_utf8_lossy();
    decoded.split(['/', '\\']).any(|part| matches!(part, "." | ".."))
}

/// Splits at slashes; a parameter's name may hold one.
fn split_outside_braces(path: &str) -> Vec<&str> {
    let mut segments = Vec::new();
    let (mut from, mut inside) = (0, false);
    for (at, character) in path.char_indices() {
        match character {
            '{' => inside = true,
            '}' => inside = false,
            '/' if !inside => {
                segments.extend(path.get(from..at));
                from = at + 1;
            }
            _ => {}
        }
    }
    segments.extend(path.get(from..));
    segments
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Style;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn parameter(name: &str, style: Style) -> Parameter {
        Parameter {
            argument: name.into(),
            location: Location::Path,
            name: name.into(),
            style,
            explode: false,
            allow_reserved: true,
            media_type: None,
        }
    }

    fn filled(path: &str, parameters: &[Parameter], values: &[Value]) -> Result<String, Vec<String>> {
        let shapes: Vec<_> =
            values.iter().zip(parameters).map(|(value, of)| Shape::of(value, of.style).unwrap()).collect();
        PathTemplate::build(path, parameters).unwrap().fill(parameters, &shapes)
    }

    #[test]
    fn fills_parameters_within_and_between_segments() {
        let parameters = [parameter("id", Style::Simple), parameter("format", Style::Label)];
        let path = filled("/speaker/{id}/card{format}", &parameters, &[json!("a b/c"), json!("png")]);
        assert_eq!(path.unwrap(), "/speaker/a%20b%2Fc/card.png");
    }

    #[test]
    fn refuses_dots_however_they_come_about() {
        let one = [parameter("id", Style::Simple)];
        for value in [".", "..", "../admin", "a/../b", "..\\x", "a/."] {
            let problems = filled("/a/{id}/b", &one, &[json!(value)]).unwrap_err();
            assert!(problems[0].contains("`id`"), "{value}: {problems:?}");
        }
        let two = [parameter("a", Style::Simple), parameter("b", Style::Simple)];
        assert!(filled("/{a}{b}", &two, &[json!("."), json!(".")]).is_err());
        assert!(filled("/{id}", &[parameter("id", Style::Label)], &[json!(".")]).is_err());
        assert!(filled("/{id}", &[parameter("id", Style::Label)], &[json!("")]).is_err());
        assert_eq!(filled("/a/{id}", &one, &[json!("..a.")]).unwrap(), "/a/..a.");
    }

    #[test]
    fn refuses_an_empty_or_absent_value() {
        let one = [parameter("id", Style::Simple)];
        assert!(filled("/a/{id}", &one, &[json!("")]).is_err());
        assert!(filled("/a/{id}", &one, &[json!([])]).is_err());
        assert!(filled("/a/{id}", &one, &[json!(null)]).is_err());
    }

    #[test]
    fn a_template_and_its_parameters_must_agree() {
        let problems = PathTemplate::build("/a/{b}/{c", &[parameter("d", Style::Simple)]).unwrap_err();
        assert_eq!(problems.len(), 3, "{problems:?}");
    }

    proptest! {
        #[test]
        fn a_path_argument_never_changes_the_number_of_segments(value in ".*", style in 0..3) {
            let style = [Style::Simple, Style::Label, Style::Matrix][usize::try_from(style).unwrap()];
            let parameters = [parameter("id", style)];
            if let Ok(path) = filled("/a/{id}/b", &parameters, &[json!(value)]) {
                prop_assert_eq!(path.split('/').count(), 4);
                prop_assert_eq!(normalise(&path).unwrap(), path.as_str());
                prop_assert!(!path.contains(['?', '#', ' ', '\\']));
                let decoded = percent_decode_str(&path).decode_utf8_lossy().into_owned();
                prop_assert!(!decoded.split(['/', '\\']).any(|part| part == ".." || part == "."));
                let uri: ::http::Uri = path.parse().unwrap();
                prop_assert_eq!(uri.path(), path);
            }
        }
    }
}
