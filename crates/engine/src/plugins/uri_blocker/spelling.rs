//! Spellings: the forms that one URI could have for whoever reads it, so that a rule on one of them holds for all.
//!
//! Upstreams decode percent-encodings once, some of them twice, some also `%2F`; some merge doubled slashes, take a
//! backslash for a slash, or drop what follows a `;`. What a request means to an upstream cannot be known here, so a
//! rule is tried on each of these forms. Most URIs have only one.

use std::borrow::Cow;

/// How often encodings are decoded. No upstream is known that decodes more than twice.
const ROUNDS: usize = 3;

/// Whether `matches` says yes to a form of the URI that was `sent`, whose normalised path is `path`.
pub fn any(sent: &str, path: &str, query: Option<&str>, matches: impl Fn(&str) -> bool) -> bool {
    if matches(sent) {
        return true;
    }
    let is_as_sent = sent.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('?'));
    if is_as_sent && is_plain(sent) {
        return false;
    }
    let matches_joined = |path: &str, query: Option<&str>| match query {
        Some(query) => matches(&[path, "?", query].concat()),
        None => matches(path),
    };
    // As it was sent too, since its dot segments are gone from the normalised path.
    let raw = sent.split('?').next().unwrap_or_default();
    [path, raw].into_iter().any(|path| {
        let (mut path, mut query) = (Cow::Borrowed(path), query.map(Cow::Borrowed));
        (0..=ROUNDS).any(|round| {
            if round > 0 {
                if round == 1 {
                    query = query.take().map(|query| Cow::Owned(query.replace('+', " ")));
                }
                path = decoded(&path).into();
                query = query.take().map(|query| decoded(&query).into());
            }
            matches_joined(&path, query.as_deref()) || matches_joined(&folded(&path), query.as_deref())
        })
    })
}

/// Whether the URI has nothing that anybody could read in another way.
fn is_plain(sent: &str) -> bool {
    !sent.contains(['%', ';', '\\', '+']) && !sent.contains("//")
}

/// The text with its encodings decoded once; what is no UTF-8 then is replaced, so that it cannot part a match.
fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// The path without doubled slashes, dot segments and parameters of segments, backslashes taken for slashes.
fn folded(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split(['/', '\\']) {
        match segment.split(';').next().unwrap_or_default() {
            "" | "." => {}
            ".." => _ = kept.pop(),
            name => kept.push(name),
        }
    }
    let mut folded = String::with_capacity(path.len() + 1);
    for name in &kept {
        folded.push('/');
        folded.push_str(name);
    }
    if kept.is_empty() || path.ends_with(['/', '\\']) {
        folded.push('/');
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    fn spelled(sent: &str, path: &str, query: Option<&str>) -> Vec<String> {
        let seen = RefCell::new(Vec::new());
        any(sent, path, query, |form| {
            seen.borrow_mut().push(form.to_owned());
            false
        });
        seen.into_inner()
    }

    #[test]
    fn a_plain_uri_has_one_form() {
        assert_eq!(spelled("/a/b.c?x=1&y", "/a/b.c", Some("x=1&y")), ["/a/b.c?x=1&y"]);
        assert_eq!(spelled("/", "/", None), ["/"]);
    }

    #[test]
    fn decoding_ends() {
        let deep = format!("/%{}61", "25".repeat(4000));
        assert!(spelled(&deep, &deep, None).len() < 20);
    }

    #[test]
    fn a_folded_path_has_only_segments() {
        for (path, expected) in [
            ("//a\\b;x=1/../c/./d/", "/a/c/d/"),
            ("/../..", "/"),
            ("", "/"),
            ("/a;b", "/a"),
            ("/a/;b/c", "/a/c"),
        ] {
            assert_eq!(folded(path), expected, "{path}");
        }
    }
}
