//! Tests of the router as a whole: tables of cases, and the cost of a search; `naive` has one to compare with.

mod naive;

use super::{PatternError, Router, Turn};

/// Hosts, pattern and priority of a route; hosts and patterns are separated by spaces.
type Given<'g> = (&'g str, &'g str, i64);

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn router(routes: &[Given<'_>]) -> Router<usize> {
    let mut router = Router::default();
    for (index, (hosts, uris, priority)) in routes.iter().enumerate() {
        router.insert(&words(hosts), &words(uris), turn(*priority, index), &index).unwrap();
    }
    router
}

/// Routes of the same priority take turns by their indexes.
fn turn(priority: i64, index: usize) -> Turn {
    Turn { priority, order: 0, sequence: index as u64 }
}

/// A router in which each route has one path and any host.
fn of_paths(paths: impl Iterator<Item = String>) -> Router<usize> {
    let mut router = Router::default();
    for (index, path) in paths.enumerate() {
        router.insert(&[], &[path], turn(0, index), &index).unwrap();
    }
    router
}

/// Every value that the router offers, in order.
fn offered(router: &Router<usize>, host: &str, path: &str) -> Vec<usize> {
    let mut offered = Vec::new();
    let none = router.find(host, path, |value| {
        offered.push(*value);
        false
    });
    assert_eq!(none, None);
    offered
}

/// Asserts that each path is offered the routes with these patterns, in this order.
fn assert_offers(patterns: &[(&str, i64)], cases: &[(&str, &[&str])]) {
    let routes: Vec<_> = patterns.iter().map(|(pattern, priority)| ("", *pattern, *priority)).collect();
    let router = router(&routes);
    for (path, expected) in cases {
        let found: Vec<_> =
            offered(&router, "any", path).into_iter().map(|index| patterns[index].0).collect();
        assert_eq!(&found, expected, "{path}");
    }
}

#[test]
fn an_exact_path_matches_itself_alone() {
    assert_offers(
        &[("/a", 0), ("/a/", 0), ("/a/b", 0), ("/", 0)],
        &[
            ("/a", &["/a"]),
            ("/a/", &["/a/"]),
            ("/a/b", &["/a/b"]),
            ("/", &["/"]),
            ("/A", &[]),
            ("//a", &[]),
            ("/a/b/", &[]),
            ("", &[]),
            ("*", &[]),
        ],
    );
}

#[test]
fn a_prefix_matches_what_is_below_it() {
    assert_offers(
        &[("/*", 0), ("/a/*", 0), ("/foo*", 0), ("/a/b/*", 0)],
        &[
            ("/", &["/*"]),
            ("/a", &["/*"]),
            ("/a/", &["/a/*", "/*"]),
            ("/a/x/y", &["/a/*", "/*"]),
            ("/a/b", &["/a/*", "/*"]),
            ("/a/b/c", &["/a/b/*", "/a/*", "/*"]),
            ("/foo", &["/foo*", "/*"]),
            ("/foobar/baz", &["/foo*", "/*"]),
            ("/fo", &["/*"]),
            ("*", &[]),
        ],
    );
}

#[test]
fn a_parameter_takes_one_segment_that_is_not_empty() {
    assert_offers(
        &[("/speaker/:id", 0), ("/speaker/{id}/sessions", 0), ("/:kind/:id/topics", 0)],
        &[
            ("/speaker/1", &["/speaker/:id"]),
            ("/speaker/", &[]),
            ("/speaker/1/", &[]),
            ("/speaker/1/sessions", &["/speaker/{id}/sessions"]),
            ("/speaker//sessions", &[]),
            ("/speaker/1/topics", &["/:kind/:id/topics"]),
            ("/speaker/a%2Fb", &["/speaker/:id"]),
        ],
    );
}

#[test]
fn a_template_takes_parts_of_a_segment() {
    assert_offers(
        &[
            ("/a/{id}.json", 0),
            ("/a/{id}.xml", 0),
            ("/a/{from}-{to}", 0),
            ("/a/v{x}{y}", 0),
            ("/a/{id}:cancel", 0),
        ],
        &[
            ("/a/1.json", &["/a/{id}.json"]),
            ("/a/.json", &[]),
            ("/a/1.xml", &["/a/{id}.xml"]),
            ("/a/1-2", &["/a/{from}-{to}"]),
            ("/a/--", &[]),
            ("/a/---", &["/a/{from}-{to}"]),
            ("/a/-1", &[]),
            ("/a/1-", &[]),
            ("/a/1-2.json", &["/a/{id}.json", "/a/{from}-{to}"]),
            ("/a/vx", &[]),
            ("/a/vxy", &["/a/v{x}{y}"]),
            ("/a/7:cancel", &["/a/{id}:cancel"]),
            ("/a/1/2.json", &[]),
        ],
    );
}

#[test]
fn the_longest_literal_prefix_wins_over_priority() {
    assert_offers(
        &[("/*", 9), ("/a/:x", 5), ("/a/b*", 0), ("/a/b", -9), ("/a/b{x}", 0)],
        &[
            ("/a/b", &["/a/b", "/a/b*", "/a/:x", "/*"]),
            ("/a/bc", &["/a/b{x}", "/a/b*", "/a/:x", "/*"]),
            ("/a/c", &["/a/:x", "/*"]),
        ],
    );
}

#[test]
fn among_equal_prefixes_priority_then_precision_then_insertion_decides() {
    assert_offers(
        &[
            ("/a/*", 0),
            ("/a/:x", 0),
            ("/a/{y}", 0),
            ("/a/{x}.j", 0),
            ("/a/:z", 1),
            ("/a/:x/*", 0),
            ("/a/:x/b/*", 0),
        ],
        &[
            ("/a/1", &["/a/:z", "/a/:x", "/a/{y}", "/a/*"]),
            ("/a/1.j", &["/a/:z", "/a/{x}.j", "/a/:x", "/a/{y}", "/a/*"]),
            ("/a/1/b/c", &["/a/:x/b/*", "/a/:x/*", "/a/*"]),
        ],
    );
    assert_offers(&[("/a", 0), ("/a", 2), ("/a", 0), ("/a", 1)], &[("/a", &["/a"; 4])]);
    let router = router(&[("", "/a", 0), ("", "/a", 2), ("", "/a", 0), ("", "/a", 1)]);
    assert_eq!(offered(&router, "", "/a"), [1, 3, 0, 2]);
}

#[test]
fn the_next_candidate_is_tried_when_one_is_not_accepted() {
    let router = router(&[("", "/a", 0), ("", "/a", 0), ("", "/*", 0)]);
    assert_eq!(router.find("", "/a", |_| true), Some(&0));
    assert_eq!(router.find("", "/a", |value| *value != 0), Some(&1));
    assert_eq!(router.find("", "/a", |value| *value == 2), Some(&2));
    assert_eq!(router.find("", "/a", |_| false), None);
}

#[test]
fn hosts_open_their_routes_from_the_most_to_the_least_specific() {
    let router = router(&[
        ("", "/x", 9),
        ("*.example.com", "/x", 5),
        ("*.eu.example.com", "/*", 0),
        ("api.eu.example.com other.test", "/*", 0),
    ]);
    for (host, expected) in [
        ("api.eu.example.com", &[3, 2, 1, 0][..]),
        ("API.EU.Example.COM", &[3, 2, 1, 0]),
        ("api.eu.example.com.", &[3, 2, 1, 0]),
        ("www.eu.example.com", &[2, 1, 0]),
        ("a.b.eu.example.com", &[2, 1, 0]),
        ("eu.example.com", &[1, 0]),
        ("example.com", &[0]),
        (".example.com", &[0]),
        ("badexample.com", &[0]),
        ("other.test", &[3, 0]),
        ("", &[0]),
    ] {
        assert_eq!(offered(&router, host, "/x"), expected, "{host}");
    }
    let long = format!("{}.example.com", "a".repeat(300));
    assert_eq!(offered(&router, &long, "/x"), [0]);
}

#[test]
fn a_route_with_several_hosts_and_paths_is_found_by_each() {
    let router = router(&[("a.test b.test", "/x /y/*", 0)]);
    for (host, path, expected) in [
        ("a.test", "/x", Some(&0)),
        ("b.test", "/y/z", Some(&0)),
        ("c.test", "/x", None),
        ("a.test", "/z", None),
    ] {
        assert_eq!(router.find(host, path, |_| true), expected, "{host}{path}");
    }
}

#[test]
fn a_refused_route_leaves_nothing_behind() {
    let mut router = Router::default();
    let mut insert =
        |hosts: &str, uris: &str| router.insert(&words(hosts), &words(uris), Turn::default(), &0);
    assert_eq!(insert("", "/a /b*c"), Err(PatternError::MisplacedStar("/b*c".to_owned())));
    assert_eq!(insert("a:80", "/a"), Err(PatternError::Host("a:80".to_owned())));
    assert_eq!(insert("", ""), Err(PatternError::Missing));
    assert_eq!(router.find("", "/a", |_| true), None);
}

#[test]
fn the_smaller_order_goes_before_the_smaller_sequence() {
    let mut router = Router::default();
    for (index, (priority, order)) in [(0, 1), (0, 0), (1, 2), (0, 0)].into_iter().enumerate() {
        let turn = Turn { priority, order, sequence: index as u64 };
        router.insert(&[], &["/a/:x"], turn, &index).unwrap();
        router.insert(&[], &["/a/{x}"], turn, &index).unwrap();
    }
    assert_eq!(offered(&router, "", "/a/1"), [2, 2, 1, 1, 3, 3, 0, 0]);
}

#[test]
fn what_was_taken_out_leaves_nothing_behind() {
    let routes = [("a.test *.b.test", "/x /x/* /x/:y /x/{y}.z/{w} /x/y*", 0), ("", "/x/:y", 0)];
    let mut router = router(&routes);
    let before = router.clone();
    for (index, (hosts, uris, priority)) in routes.iter().enumerate() {
        router.remove(&words(hosts), &words(uris), turn(*priority, index));
    }
    for host in ["", "a.test", "a.b.test"] {
        assert_eq!((offered(&router, host, "/x/1.z"), router.visited(host, "/x/1.z")), (vec![], 0));
    }
    assert_eq!(offered(&before, "a.test", "/x/y"), [0, 0, 0, 1]);
}

#[test]
fn patterns_are_spelled_as_requests_are() {
    let router = router(&[("", "/caf%c3%a9/%41", 0), ("", "/é{x}", 0)]);
    assert_eq!(router.find("", "/caf%C3%A9/A", |_| true), Some(&0));
    assert_eq!(router.find("", "/%C3%A91", |_| true), Some(&1));
}

#[test]
fn a_path_deeper_than_any_pattern_goes_to_a_prefix() {
    let router = router(&[("", "/a/*", 0), ("", "/:x/:y", 0)]);
    let deep = "/a".repeat(10_000);
    assert_eq!(router.find("", &deep, |_| true), Some(&0));
    assert!(router.visited("", &deep) <= 4);
}

#[test]
fn ten_thousand_routes_visit_no_more_nodes_than_a_few() {
    let router = of_paths((0..10_000).map(|index| match index % 5 {
        0 => format!("/exact/{index}"),
        1 => format!("/api{index}/items/:id"),
        2 => format!("/items/:id/part{index}"),
        3 => format!("/files/f{index}{{name}}.t{index}"),
        _ => format!("/open/p{index}/*"),
    }));
    for (path, expected) in [
        ("/exact/5000", Some(&5000)),
        ("/api5001/items/7", Some(&5001)),
        ("/items/7/part5002", Some(&5002)),
        ("/files/f5003name.t5003", Some(&5003)),
        ("/open/p5004/a/b", Some(&5004)),
        ("/nothing/here", None),
    ] {
        assert_eq!(router.find("any", path, |_| true), expected, "{path}");
        assert!(router.visited("any", path) <= 8, "{path}: {}", router.visited("any", path));
    }
}

/// Routers of `count` routes of one kind, with a host and path that one of them matches.
fn of_kind(kind: &str, count: usize) -> (Router<usize>, String, String) {
    let mut router = Router::default();
    let last = count - 1;
    for index in 0..count {
        let (hosts, uri) = match kind {
            "literals" => (Vec::new(), format!("/a{index}/b/*")),
            "parameters" => (Vec::new(), format!("/:tenant/a{index}/:id")),
            "templates" => (Vec::new(), format!("/files/a{index}-{{name}}.txt")),
            "hosts" => (vec![format!("h{index}.example")], "/a/:id".to_owned()),
            _ => (vec![format!("*.h{index}.example")], "/a/:id".to_owned()),
        };
        router.insert(&hosts, &[uri], turn(0, index), &index).unwrap();
    }
    let (host, path) = match kind {
        "literals" => ("any".to_owned(), format!("/a{last}/b/c")),
        "parameters" => ("any".to_owned(), format!("/t/a{last}/7")),
        "templates" => ("any".to_owned(), format!("/files/a{last}-x.txt")),
        "hosts" => (format!("h{last}.example"), "/a/7".to_owned()),
        _ => (format!("x.h{last}.example"), "/a/7".to_owned()),
    };
    (router, host, path)
}

#[test]
fn routes_of_any_number_cost_what_one_does() {
    for kind in ["literals", "parameters", "templates", "hosts", "wildcards"] {
        let (one, host, path) = of_kind(kind, 1);
        let cost = one.visited(&host, &path);
        for count in [10_000, 100_000] {
            let (router, host, path) = of_kind(kind, count);
            let mut offered = 0;
            let found = router.find(&host, &path, |_| {
                offered += 1;
                true
            });
            assert_eq!(found, Some(&(count - 1)), "{kind}");
            assert_eq!((router.visited(&host, &path), offered), (cost, 1), "{count} {kind}");
        }
    }
}

#[test]
fn methods_of_one_path_are_the_only_routes_that_are_asked_one_by_one() {
    let router = of_paths((0..100_000).map(|index| format!("/a{}/:id", index / 4)));
    let mut offered = 0;
    let found = router.find("any", "/a500/7", |index| {
        offered += 1;
        index % 4 == 3
    });
    assert_eq!((found, offered, router.visited("any", "/a500/7")), (Some(&2003), 4, 3));
}
