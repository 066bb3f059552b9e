//! Origins that may call: any, those that are listed, or those that match a pattern.

use ::http::{HeaderValue, Uri};
use regex::Regex;

/// Origins that may call.
pub enum Origins {
    /// `*`.
    Any,
    /// `**`.
    Echoed,
    Listed(Vec<String>),
    Matching(Vec<Regex>),
}

impl Origins {
    /// What `setting` lists, or else the expressions of `<setting>_by_regex`; none where neither is set.
    pub fn build(
        setting: &str,
        list: Option<&str>,
        patterns: Option<&[String]>,
    ) -> Result<Option<Self>, String> {
        if let Some(patterns) = patterns {
            if patterns.is_empty() {
                return Err(format!("{setting}_by_regex: must not be empty; leave it out instead"));
            }
            let whole = |pattern: &String| Regex::new(&format!("^(?:{pattern})$"));
            let regexes = patterns.iter().map(whole).collect::<Result<_, _>>();
            let matching = regexes.map(Origins::Matching);
            return matching.map(Some).map_err(|error| format!("{setting}_by_regex: {error}"));
        }
        let Some(list) = list else { return Ok(None) };
        Ok(Some(match list {
            "*" => Origins::Any,
            "**" => Origins::Echoed,
            list => {
                Origins::Listed(list.split(',').map(|text| origin(setting, text)).collect::<Result<_, _>>()?)
            }
        }))
    }

    /// What the browser is told, or none where the origin may not call.
    pub fn allow(&self, origin: Option<&HeaderValue>) -> Option<HeaderValue> {
        let any = HeaderValue::from_static("*");
        let is_allowed = match self {
            Origins::Any => return Some(any),
            Origins::Echoed => return Some(origin.cloned().unwrap_or(any)),
            Origins::Listed(listed) => |text: &str| listed.iter().any(|one| one == text),
            Origins::Matching(regexes) => return origin.filter(|origin| matches(regexes, origin)).cloned(),
        };
        origin.filter(|origin| origin.to_str().is_ok_and(is_allowed)).cloned()
    }
}

fn matches(regexes: &[Regex], origin: &HeaderValue) -> bool {
    origin.to_str().is_ok_and(|text| regexes.iter().any(|regex| regex.is_match(text)))
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
