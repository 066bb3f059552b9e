//! Origins that may call: any, those that are listed, or those that match a pattern.

use crate::plugins::restriction::{Texts, patterns};
use ::http::{HeaderValue, Uri};
use regex::RegexSet;

/// Origins that may call.
pub enum Origins {
    /// `*`.
    Any,
    /// `**`.
    Echoed,
    Listed(Texts),
    Matching(RegexSet),
}

impl Origins {
    /// What `setting` lists, or else the expressions of `<setting>_by_regex`; none where neither is set.
    pub fn build(
        setting: &str,
        list: Option<&str>,
        expressions: Option<&[String]>,
    ) -> Result<Option<Self>, String> {
        if let Some(expressions) = expressions {
            let whole: Vec<_> = expressions.iter().map(|one| format!("^(?:{one})$")).collect();
            return Ok(Some(Origins::Matching(patterns(&format!("{setting}_by_regex"), &whole, false)?)));
        }
        Ok(match list {
            None => None,
            Some("*") => Some(Origins::Any),
            Some("**") => Some(Origins::Echoed),
            Some(list) => {
                let origins: Result<_, String> = list.split(',').map(|text| origin(setting, text)).collect();
                Some(Origins::Listed(Texts::new(setting, origins?)?))
            }
        })
    }

    /// What the browser is told, or none where the origin may not call.
    pub fn allow(&self, origin: Option<&HeaderValue>) -> Option<HeaderValue> {
        let any = HeaderValue::from_static("*");
        let is_allowed = |origin: &&HeaderValue| match (self, origin.to_str()) {
            (Origins::Any | Origins::Echoed, _) => true,
            (Origins::Listed(listed), Ok(text)) => listed.contain(text),
            (Origins::Matching(expressions), Ok(text)) => expressions.is_match(text),
            (_, Err(_)) => false,
        };
        match self {
            Origins::Any => Some(any),
            Origins::Echoed => Some(origin.cloned().unwrap_or(any)),
            _ => origin.filter(is_allowed).cloned(),
        }
    }
}

/// An origin as browsers write it (RFC 6454, section 6.2).
fn origin(setting: &str, text: &str) -> Result<String, String> {
    let text = text.trim();
    if text == "null" {
        return Ok(text.into());
    }
    if text.contains('*') {
        return Err(format!("{setting}: {text:?} is no origin; for patterns use {setting}_by_regex"));
    }
    let is_origin = text.parse::<Uri>().is_ok_and(|uri| uri.scheme().is_some() && uri.authority().is_some());
    match is_origin && text.matches('/').count() == 2 && !text.contains(['?', '#']) {
        true => Ok(text.to_ascii_lowercase()),
        false => Err(format!("{setting}: {text:?} is no origin; write it as \"https://example.com\"")),
    }
}
