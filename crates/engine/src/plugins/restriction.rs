//! What plugins that restrict have in common: a refusal that is made once and sent many times, and bounded sets of texts
//! and of regular expressions.

use crate::error::{error_response, refusal};
use crate::http::{Body, Response};
use crate::network::Networks;
use ::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use regex::{RegexSet, RegexSetBuilder};
use std::collections::HashSet;

/// The most networks of one list.
pub const MOST_NETWORKS: usize = 100_000;
/// The most texts of one list.
pub const MOST_TEXTS: usize = 10_000;
/// The most regular expressions of one list, and the most bytes of one.
pub const MOST_PATTERNS: usize = 1_000;
pub const LONGEST_PATTERN: usize = 4_096;
/// The most memory of the compiled expressions of one list, in bytes.
const PATTERNS_SIZE: usize = 8 << 20;

/// What a caller is answered who may not go on.
pub struct Refusal {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Refusal {
    /// `{"message": text}` with the status `code` of the setting `setting`, 200 to 599.
    pub fn message(setting: &str, code: u16, text: &str) -> Result<Self, String> {
        Ok(Self::made(refusal(status(setting, code)?, text)))
    }

    /// `{"error_msg": text}`, likewise.
    pub fn error_msg(setting: &str, code: u16, text: &str) -> Result<Self, String> {
        Ok(Self::made(error_response(status(setting, code)?, text)))
    }

    fn made(response: Response) -> Self {
        let (head, body) = response.into_parts();
        let body = if let Body::Bytes(bytes) = body { bytes } else { Bytes::new() };
        Self { status: head.status, headers: head.headers, body }
    }

    pub fn response(&self) -> Response {
        let mut response = Response::new(Body::Bytes(self.body.clone()));
        *response.status_mut() = self.status;
        response.headers_mut().clone_from(&self.headers);
        response
    }
}

fn status(setting: &str, code: u16) -> Result<StatusCode, String> {
    let status = StatusCode::from_u16(code).ok().filter(|status| (200..600).contains(&status.as_u16()));
    status.ok_or_else(|| format!("{setting}: {code} is not a status between 200 and 599"))
}

/// Texts of which one can be asked for quickly.
pub struct Texts(HashSet<Box<str>>);

impl Texts {
    pub fn new(setting: &str, texts: Vec<String>) -> Result<Self, String> {
        within_bounds(setting, texts.len(), MOST_TEXTS)?;
        Ok(Self(texts.into_iter().map(Into::into).collect()))
    }

    pub fn contain(&self, text: &str) -> bool {
        self.0.contains(text)
    }
}

/// The networks of a setting.
pub fn networks(setting: &str, texts: &[String]) -> Result<Networks, String> {
    within_bounds(setting, texts.len(), MOST_NETWORKS)?;
    Networks::parse(texts).map_err(|(_, why)| format!("{setting}: {why}"))
}

/// The regular expressions of a setting. Matching takes time that is linear in the text, whatever the expressions.
pub fn patterns(setting: &str, patterns: &[String], ignores_case: bool) -> Result<RegexSet, String> {
    within_bounds(setting, patterns.len(), MOST_PATTERNS)?;
    if patterns.iter().any(|pattern| pattern.len() > LONGEST_PATTERN) {
        return Err(format!("{setting}: a regular expression has more than {LONGEST_PATTERN} bytes"));
    }
    let compiled = |some: &[String]| {
        RegexSetBuilder::new(some).case_insensitive(ignores_case).size_limit(PATTERNS_SIZE).build()
    };
    compiled(patterns).map_err(|error| {
        // Of a set it is not told which one is wrong.
        let alone = patterns.iter().find_map(|pattern| {
            let error = compiled(std::slice::from_ref(pattern)).err()?;
            Some(format!("{setting}: {pattern:?} cannot be used: {error}"))
        });
        alone.unwrap_or_else(|| format!("{setting}: the regular expressions together are too large: {error}"))
    })
}

fn within_bounds(setting: &str, length: usize, most: usize) -> Result<(), String> {
    match length {
        0 => Err(format!("{setting}: must not be empty; leave it out instead")),
        _ if length > most => Err(format!("{setting}: has {length} entries, and may have {most}")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_have_bounds() {
        let many = |count: usize| vec!["a".to_owned(); count];
        assert!(Texts::new("list", many(MOST_TEXTS)).is_ok());
        let why = |result: Result<(), String>| result.unwrap_err();
        assert!(why(Texts::new("list", many(MOST_TEXTS + 1)).map(drop)).contains("may have 10000"));
        assert!(why(Texts::new("list", Vec::new()).map(drop)).contains("list: must not be empty"));
        assert!(why(patterns("list", &many(MOST_PATTERNS + 1), false).map(drop)).contains("may have 1000"));
        assert!(why(patterns("list", &["a".repeat(5000)], false).map(drop)).contains("more than 4096 bytes"));
        assert!(why(networks("list", &many(1)).map(drop)).contains("list: \"a\" is no address"));
    }

    #[test]
    fn the_expression_that_is_wrong_or_too_large_is_named() {
        for wrong in ["(a", "(?=a)", r"(a)\1", "(?:a{1000}){1000}"] {
            let why = patterns("block_rules", &["b".to_owned(), wrong.to_owned()], false).unwrap_err();
            assert!(why.starts_with(&format!("block_rules: {wrong:?} cannot be used")), "{why}");
        }
    }
}
