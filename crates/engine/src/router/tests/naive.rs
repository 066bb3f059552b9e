//! The router beside a matcher that knows nothing but the meaning of patterns, on made-up routes and paths.

use super::super::Router;
use super::{offered, router, turn, words};
use proptest::prelude::*;
use regex::Regex;
use std::cmp::Reverse;

/// Every match found by trying each pattern as a regular expression, ordered from the text of the patterns.
fn naively_offered(patterns: &[(String, i64)], path: &str) -> Vec<usize> {
    let parameter = Regex::new(":[a-z]+|\\{[a-z]+\\}").unwrap();
    let mut found = Vec::new();
    for (index, (pattern, priority)) in patterns.iter().enumerate() {
        let is_exact = !pattern.contains([':', '{', '*']);
        let plain = parameter.replace_all(pattern, "\u{1}");
        let expression = regex::escape(&plain).replace('\u{1}', "[^/]+").replace("\\*", ".*");
        if Regex::new(&format!("^{expression}$")).unwrap().is_match(path) {
            let prefix = plain.find(['\u{1}', '*']).unwrap_or(plain.len());
            let precision: Vec<_> = plain.split('/').skip(1).map(naive_precision).collect();
            found.push((!is_exact, Reverse(prefix), Reverse(*priority), Reverse(precision), index));
        }
    }
    found.sort();
    found.into_iter().map(|(.., index)| index).collect()
}

fn naive_precision(segment: &str) -> (u8, usize) {
    match (segment.strip_suffix('*'), segment.matches('\u{1}').count()) {
        (Some(text), _) => (0, text.len()),
        (None, 0) => (3, 0),
        (None, _) if segment == "\u{1}" => (1, 0),
        (None, parameters) => (2, segment.len() - parameters),
    }
}

fn pattern() -> impl Strategy<Value = String> {
    let segment = prop::sample::select(vec![
        "",
        "a",
        "b",
        "ab",
        ":x",
        "{x}",
        "{x}.j",
        "a{x}",
        "{x}b",
        "{x}-{y}",
        "a{x}a{y}.j",
        "{x}{y}",
    ]);
    let ending = prop::sample::select(vec!["", "", "", "/*", "/a*", "/ab*"]);
    (prop::collection::vec(segment, 0..4), ending).prop_map(|(segments, ending)| {
        let text: String = segments.iter().map(|segment| format!("/{segment}")).collect();
        if text.is_empty() && ending.is_empty() { "/".to_owned() } else { text + ending }
    })
}

fn path() -> impl Strategy<Value = String> {
    let segment = prop::sample::select(vec![
        "", "a", "b", "ab", "aa", "aab", "a.j", "b.j", "a-b", "-", "a-b.j", "aaab.j", "abab", "--a",
    ]);
    prop::collection::vec(segment, 1..5)
        .prop_map(|segments| segments.iter().map(|segment| format!("/{segment}")).collect())
}

proptest! {
    #[test]
    fn the_router_offers_what_a_naive_matcher_finds(
        patterns in prop::collection::vec((pattern(), -1i64..2), 1..16),
        paths in prop::collection::vec(path(), 8),
    ) {
        let routes: Vec<_> = patterns.iter().map(|(pattern, priority)| ("", pattern.as_str(), *priority)).collect();
        let router = router(&routes);
        for path in paths {
            prop_assert_eq!(offered(&router, "", &path), naively_offered(&patterns, &path), "{}", path);
        }
    }

    #[test]
    fn a_router_that_was_changed_offers_what_a_new_one_would_and_its_copies_what_they_did(
        routes in prop::collection::vec((host(), pattern(), -1i64..2), 1..24),
        changes in prop::collection::vec((0usize..24, any::<bool>()), 1..60),
        paths in prop::collection::vec(path(), 8),
    ) {
        let mut router = Router::default();
        let mut inside = vec![false; routes.len()];
        let mut copies = Vec::new();
        for (index, keep) in changes {
            let index = index % routes.len();
            let (host, pattern, priority) = &routes[index];
            match (inside[index], keep) {
                (false, _) => router.insert(&words(host), &words(pattern), turn(*priority, index), &index).unwrap(),
                (true, true) => copies.push((router.clone(), inside.clone())),
                (true, false) => router.remove(&words(host), &words(pattern), turn(*priority, index)),
            }
            inside[index] ^= !(inside[index] && keep);
        }
        copies.push((router, inside));
        for (router, inside) in copies {
            let mut new = Router::default();
            for (index, (host, pattern, priority)) in routes.iter().enumerate().filter(|(index, _)| inside[*index]) {
                new.insert(&words(host), &words(pattern), turn(*priority, index), &index).unwrap();
            }
            for path in &paths {
                for host in ["", "a.test", "b.a.test"] {
                    prop_assert_eq!(offered(&router, host, path), offered(&new, host, path), "{} {}", host, path);
                    prop_assert!(router.visited(host, path) <= new.visited(host, path));
                }
            }
        }
    }
}

fn host() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["", "", "a.test", "*.a.test", "b.a.test *.test"])
}
