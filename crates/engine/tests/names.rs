//! Nodes by name, with a name server of the test's own: which addresses are used, and when they are asked for again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use serde_json::json;
use std::net::{IpAddr, SocketAddr};
use toolway_engine::Engine;
use toolway_testkit::{DnsAnswer, RawClient, ScriptedResolver, ScriptedUpstream, Step, closed_address};

const GET: &str = "GET / HTTP/1.1\r\nHost: gateway.test\r\n\r\n";
const NAME: &str = "api.example.test";
const FIRST: [u8; 4] = [127, 0, 0, 1];
const SECOND: [u8; 4] = [127, 0, 0, 2];

fn start(resolver: &ScriptedResolver, port: u16) -> (Engine, SocketAddr) {
    let snapshot = json!({
        "version": 1,
        "gateway": {
            "listen": ["127.0.0.1:0"], "workers": 1, "dns": {"nameservers": [resolver.address().to_string()]},
        },
        "upstreams": [{
            "id": "up", "scheme": "http", "nodes": [{"host": "API.example.test", "port": port, "weight": 1}],
            "pass_host": "node", "retries": 0,
            "timeout": {"connect_ms": 5000, "send_ms": 5000, "read_ms": 5000},
            "keepalive": {"size": 8, "idle_timeout_ms": 60000, "requests": 1000}, "tls_verify": true,
        }],
        "routes": [{"id": "r", "uris": ["/*"], "target": {"upstream": {"id": "up"}}}],
    });
    let engine = Engine::new(&snapshot.to_string()).unwrap();
    engine.start().unwrap();
    let address = engine.listen_addresses()[0];
    (engine, address)
}

/// Two upstreams with the same port on two addresses, which answer their names.
async fn pair() -> (ScriptedUpstream, ScriptedUpstream) {
    let first = ScriptedUpstream::start([Step::ok("first")]).await.unwrap();
    let address = SocketAddr::new(IpAddr::from(SECOND), first.address().port());
    (first, ScriptedUpstream::start_at(address, [Step::ok("second")]).await.unwrap())
}

fn addresses(addresses: &[[u8; 4]], seconds: u32) -> DnsAnswer {
    DnsAnswer::Addresses(addresses.iter().copied().map(IpAddr::from).collect(), seconds)
}

async fn ask(address: SocketAddr) -> String {
    let response = RawClient::exchange(address, GET).await.unwrap();
    assert_eq!(response.status(), 200, "{response:?}");
    response.text()
}

#[tokio::test]
async fn all_addresses_of_a_name_take_their_turns() {
    let (first, second) = pair().await;
    let resolver = ScriptedResolver::start().await.unwrap();
    resolver.set(NAME, addresses(&[SECOND, FIRST], 60));
    let (_engine, address) = start(&resolver, first.address().port());
    // The first one waits for the answer, whichever address it then takes.
    ask(address).await;
    let before = (first.received().len(), second.received().len());
    let mut requests = 0;
    while first.received().len() == before.0 || second.received().len() == before.1 {
        ask(address).await;
        requests += 1;
        assert!(requests < 10_000, "one of the addresses is not used");
    }
    let before = (first.received().len(), second.received().len());
    for _ in 0..10 {
        ask(address).await;
    }
    assert_eq!((first.received().len() - before.0, second.received().len() - before.1), (5, 5));
    let label = format!("API.example.test:{}", first.address().port());
    assert_eq!(first.received()[0].header("host"), Some(label.as_str()));
}

#[tokio::test]
async fn a_new_answer_is_followed_when_the_time_of_the_old_one_is_up() {
    let (first, _second) = pair().await;
    let resolver = ScriptedResolver::start().await.unwrap();
    resolver.set(NAME, addresses(&[FIRST], 1));
    let (_engine, address) = start(&resolver, first.address().port());
    assert_eq!(ask(address).await, "first");
    resolver.set(NAME, addresses(&[SECOND], 60));
    let mut client = RawClient::connect(address).await.unwrap();
    let mut requests = 0;
    loop {
        client.send(GET).await.unwrap();
        if client.response().await.unwrap().text() == "second" {
            break;
        }
        requests += 1;
        assert!(requests < 1_000_000, "the new address is not used");
    }
}

#[tokio::test]
async fn the_last_good_answer_stays_while_the_name_server_fails() {
    let (first, _second) = pair().await;
    let resolver = ScriptedResolver::start().await.unwrap();
    resolver.set(NAME, addresses(&[FIRST], 0));
    let (_engine, address) = start(&resolver, first.address().port());
    assert_eq!(ask(address).await, "first");
    resolver.set(NAME, DnsAnswer::Failure);
    let asked = resolver.asked(NAME);
    resolver.wait_for_questions(NAME, asked + 2).await.unwrap();
    assert_eq!(ask(address).await, "first");
}

#[tokio::test]
async fn the_next_address_is_tried_where_one_cannot_be_connected_to() {
    let upstream = ScriptedUpstream::start([Step::ok("alive")]).await.unwrap();
    let resolver = ScriptedResolver::start().await.unwrap();
    // Nobody listens on the second address, and there are no retries.
    resolver.set(NAME, addresses(&[FIRST, SECOND], 60));
    let (_engine, address) = start(&resolver, upstream.address().port());
    for _ in 0..20 {
        assert_eq!(ask(address).await, "alive");
    }
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_an_unreachable_node() {
    let resolver = ScriptedResolver::start().await.unwrap();
    let (_engine, address) = start(&resolver, closed_address().unwrap().port());
    let response = RawClient::exchange(address, GET).await.unwrap();
    assert_eq!((response.status(), response.header("x-toolway-error")), (502, Some("upstream_unreachable")));
}

#[tokio::test]
async fn a_name_server_that_is_none_is_refused() {
    let snapshot = json!({
        "version": 1,
        "gateway": {"listen": [], "workers": 1, "dns": {"nameservers": ["dns.example.test"]}},
    });
    let error = Engine::check(&snapshot.to_string()).unwrap_err();
    assert_eq!(error.problems[0].0, "/gateway/dns/nameservers");
}

#[tokio::test]
async fn servers_that_plugins_ask_are_found_by_name_too() {
    let service = ScriptedUpstream::start([Step::Answer("HTTP/1.1 204 No\r\nX-User: carol\r\n\r\n".into())])
        .await
        .unwrap();
    let upstream = ScriptedUpstream::start([Step::ok("hello")]).await.unwrap();
    let resolver = ScriptedResolver::start().await.unwrap();
    resolver.set(NAME, addresses(&[FIRST], 60));
    let uri = format!("http://{NAME}:{}/auth", service.address().port());
    let snapshot = json!({
        "version": 1,
        "gateway": {
            "listen": ["127.0.0.1:0"], "workers": 1, "dns": {"nameservers": [resolver.address().to_string()]},
        },
        "upstreams": [{
            "id": "up", "scheme": "http", "pass_host": "node", "retries": 0, "tls_verify": true,
            "nodes": [{"host": "127.0.0.1", "port": upstream.address().port(), "weight": 1}],
            "timeout": {"connect_ms": 5000, "send_ms": 5000, "read_ms": 5000},
            "keepalive": {"size": 8, "idle_timeout_ms": 60000, "requests": 1000},
        }],
        "routes": [{
            "id": "r", "uris": ["/*"], "target": {"upstream": {"id": "up"}},
            "plugins": {"forward-auth": {"uri": uri, "upstream_headers": ["X-User"]}},
        }],
    });
    let engine = Engine::new(&snapshot.to_string()).unwrap();
    engine.start().unwrap();
    assert_eq!(ask(engine.listen_addresses()[0]).await, "hello");
    let asked = service.received().remove(0);
    assert_eq!(asked.header("host"), Some(format!("{NAME}:{}", service.address().port()).as_str()));
    assert_eq!(upstream.received()[0].header("x-user"), Some("carol"));
}
