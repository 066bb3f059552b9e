//! The seeds of the fuzz targets, and what they have found so far, as ordinary tests.

use std::path::Path;

/// Runs a target on each of its seeds, and on each cut short.
fn run(name: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(name);
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let seed = std::fs::read(entry.unwrap().path()).unwrap();
        target(&seed);
        (0..seed.len().min(200)).for_each(|length| target(&seed[..length]));
        count += 1;
    }
    assert_ne!(count, 0, "{} has no seeds", folder.display());
}

#[test]
fn every_seed_of_request_is_read_as_it_must_be() {
    run("request", super::request);
}

#[test]
fn every_seed_of_response_is_read_as_it_must_be() {
    run("response", super::response);
}

#[test]
fn every_seed_of_route_is_read_as_it_must_be() {
    run("route", super::route);
}

#[test]
fn every_seed_of_snapshot_is_read_as_it_must_be() {
    run("snapshot", super::snapshot);
}

#[test]
fn every_seed_of_mcp_is_read_as_it_must_be() {
    run("mcp", super::mcp);
}

#[test]
fn every_seed_of_forwarded_is_read_as_it_must_be() {
    run("forwarded", super::forwarded);
}

#[test]
fn every_seed_of_proxy_is_read_as_it_must_be() {
    run("proxy", |data| {
        super::proxy(data);
    });
    let pipelined = include_bytes!("../../../../fuzz/seeds/proxy/pipelined");
    let http2 = include_bytes!("../../../../fuzz/seeds/proxy/http2");
    assert_eq!((super::proxy(pipelined), super::proxy(http2), super::proxy(b"GET")), (3, 1, 0));
}
