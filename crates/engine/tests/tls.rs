//! TLS at the listeners, over real sockets: who gets which certificate, who is refused, and what outlives a swap.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use rustls::HandshakeKind;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};
use std::sync::Arc;
use support::{Authority, Pair, ask, ask_for, connect, snapshot, ssl, start};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use toolway_engine::Engine;
use toolway_testkit::{ScriptedUpstream, Step};

fn demanding(mut ssl: Value, authority: &Authority, depth: usize) -> Value {
    ssl["client"] = json!({"ca": authority.pem, "depth": depth});
    ssl
}

fn der(pair: &Pair) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pair.cert.as_bytes()).unwrap()
}

#[tokio::test]
async fn tells_the_upstream_that_the_client_spoke_https() {
    let upstream = ScriptedUpstream::start([Step::ok("hello")]).await.unwrap();
    let ca = Authority::new("ca");
    let ssls = json!([ssl("s", &["a.test"], &ca.server(&["a.test"]))]);
    let (_engine, _, address) = start(&snapshot(ssls, Some(upstream.address())));
    let client = Arc::new(ca.trusted().with_no_client_auth());
    let mut stream = connect(address, "a.test", &client).await.unwrap();
    let answer = ask(&mut stream, "a.test").await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("hello"), "{answer}");
    let received = upstream.received().remove(0);
    assert_eq!(received.header("x-forwarded-proto"), Some("https"));
    assert_eq!(received.header("x-forwarded-port"), Some(address.port().to_string().as_str()));
}

#[tokio::test]
async fn shows_each_server_name_its_certificate_and_refuses_unknown_ones() {
    let ca = Authority::new("ca");
    let (exact, wild) = (ca.server(&["a.test"]), ca.server(&["*.a.test"]));
    let ssls = json!([ssl("e", &["a.test"], &exact), ssl("w", &["*.a.test"], &wild)]);
    let (_engine, _, address) = start(&snapshot(ssls, None));
    let client = Arc::new(ca.trusted().with_no_client_auth());
    for (name, pair) in [("a.test", &exact), ("b.a.test", &wild), ("B.A.test", &wild)] {
        let stream = connect(address, name, &client).await.unwrap();
        assert_eq!(stream.get_ref().1.peer_certificates().unwrap().first(), Some(&der(pair)), "{name}");
    }
    for name in ["b.test", "c.b.a.test", "127.0.0.1"] {
        let error = connect(address, name, &client).await.unwrap_err().to_string();
        assert!(error.contains("UnrecognizedName") || error.contains("UnrecognisedName"), "{name}: {error}");
    }
}

#[tokio::test]
async fn shows_the_default_certificate_to_everybody_else() {
    let ca = Authority::new("ca");
    let pair = ca.server(&["b.test", "127.0.0.1"]);
    let mut default = ssl("d", &[], &pair);
    default["default"] = json!(true);
    let ssls = json!([ssl("e", &["a.test"], &ca.server(&["a.test"])), default]);
    let (_engine, _, address) = start(&snapshot(ssls, None));
    let client = Arc::new(ca.trusted().with_no_client_auth());
    for name in ["b.test", "127.0.0.1"] {
        let stream = connect(address, name, &client).await.unwrap();
        assert_eq!(stream.get_ref().1.peer_certificates().unwrap().first(), Some(&der(&pair)));
    }
}

#[tokio::test]
async fn a_certificate_is_swapped_while_connections_go_on() {
    let ca = Authority::new("ca");
    let (old, new) = (ca.server(&["a.test"]), ca.server(&["a.test"]));
    let (engine, _, address) = start(&snapshot(json!([ssl("s", &["a.test"], &old)]), None));
    let fresh = || Arc::new(ca.trusted().with_no_client_auth());
    let mut before = connect(address, "a.test", &fresh()).await.unwrap();
    engine.apply(&snapshot(json!([ssl("s", &["a.test"], &new)]), None).to_string()).unwrap();
    let after = connect(address, "a.test", &fresh()).await.unwrap();
    assert_eq!(after.get_ref().1.peer_certificates().unwrap().first(), Some(&der(&new)));
    assert!(ask(&mut before, "a.test").await.unwrap().ends_with("here"));
}

#[tokio::test]
async fn sessions_are_resumed_on_every_worker_and_after_a_swap() {
    let ca = Authority::new("ca");
    let one = ssl("s", &["a.test", "b.test"], &ca.server(&["a.test", "b.test"]));
    let (engine, _, address) = start(&snapshot(json!([one]), None));
    for versions in [&[&rustls::version::TLS12], &[&rustls::version::TLS13]] {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(ca.pem.as_bytes()).unwrap()).unwrap();
        let client =
            rustls::ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
        let client = Arc::new(client.with_root_certificates(roots).with_no_client_auth());
        let mut kinds = Vec::new();
        for _ in 0..4 {
            let mut stream = connect(address, "a.test", &client).await.unwrap();
            ask(&mut stream, "a.test").await.unwrap();
            kinds.push(stream.get_ref().1.handshake_kind().unwrap());
            engine.apply(&snapshot(json!([one]), None).to_string()).unwrap();
        }
        assert_eq!(kinds.remove(0), HandshakeKind::Full);
        assert!(kinds.iter().all(|kind| *kind == HandshakeKind::Resumed), "{kinds:?}");
    }
}

#[tokio::test]
async fn a_client_must_show_a_certificate_of_the_authority_within_the_depth() {
    let (ca, people) = (Authority::new("ca"), Authority::new("people"));
    let team = people.below("team");
    let entry = ssl("s", &["a.test"], &ca.server(&["a.test"]));
    let shown = |pair: &Pair| Arc::new(pair.shown_by(ca.trusted()));
    let (jack, joan) = (shown(&people.client("jack")), shown(&team.client("joan").below(&team)));
    let stranger = shown(&Authority::new("others").client("eve"));
    let nobody = Arc::new(ca.trusted().with_no_client_auth());
    for (depth, welcome, refused) in
        [(1, vec![&jack, &joan], vec![&stranger, &nobody]), (0, vec![&jack], vec![&joan, &stranger, &nobody])]
    {
        let (_engine, _, address) = start(&snapshot(json!([demanding(entry.clone(), &people, depth)]), None));
        for client in welcome {
            let mut stream = connect(address, "a.test", client).await.unwrap();
            assert!(ask(&mut stream, "a.test").await.unwrap().ends_with("here"));
        }
        for client in refused {
            let answer = match connect(address, "a.test", client).await {
                Ok(mut stream) => ask(&mut stream, "a.test").await,
                Err(error) => Err(error),
            };
            assert!(answer.is_err(), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn a_host_that_demands_certificates_is_not_reached_through_another_name() {
    let (ca, people) = (Authority::new("ca"), Authority::new("people"));
    let pair = ca.server(&["open.test", "closed.test"]);
    let closed = demanding(ssl("c", &["closed.test"], &pair), &people, 1);
    let (_engine, _, address) = start(&snapshot(json!([ssl("o", &["open.test"], &pair), closed]), None));
    let client = Arc::new(people.client("jack").shown_by(ca.trusted()));
    for (name, host, status) in [
        ("open.test", "closed.test", 421),
        ("open.test", "CLOSED.test:443", 421),
        ("closed.test", "closed.test", 200),
    ] {
        let mut stream = connect(address, name, &client).await.unwrap();
        let answer = ask(&mut stream, host).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{name} {host}: {answer}");
    }
}

#[tokio::test]
async fn a_client_without_a_certificate_has_only_the_open_paths() {
    let (ca, people) = (Authority::new("ca"), Authority::new("people"));
    let pair = ca.server(&["some.test", "none.test"]);
    let mut some = demanding(ssl("s", &["some.test"], &pair), &people, 1);
    some["client"]["skip_paths"] = json!(["/", "/open/.*"]);
    let none = demanding(ssl("n", &["none.test"], &pair), &people, 1);
    let (_engine, _, address) = start(&snapshot(json!([some, none]), None));
    let jack = Arc::new(people.client("jack").shown_by(ca.trusted()));
    let nobody = Arc::new(ca.trusted().with_no_client_auth());
    for (client, host, path, status) in [
        (&nobody, "some.test", "/", 200),
        (&nobody, "some.test", "/open/a", 200),
        (&nobody, "some.test", "/closed", 400),
        (&nobody, "some.test", "/closed/open/a", 400),
        (&nobody, "some.test", "/open/../closed", 400),
        (&nobody, "none.test", "/", 400),
        (&jack, "some.test", "/closed", 200),
        (&jack, "none.test", "/closed", 200),
    ] {
        let mut stream = connect(address, "some.test", client).await.unwrap();
        let answer = ask_for(&mut stream, host, path).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{host}{path}: {answer}");
        assert_eq!(answer.contains("client_certificate_required"), status == 400, "{answer}");
    }
    let eve = Arc::new(Authority::new("others").client("eve").shown_by(ca.trusted()));
    let answer = match connect(address, "some.test", &eve).await {
        Ok(mut stream) => ask_for(&mut stream, "some.test", "/").await,
        Err(error) => Err(error),
    };
    assert!(answer.is_err(), "{answer:?}");
}

#[tokio::test]
async fn a_session_is_not_resumed_where_another_certificate_is_demanded() {
    let (ca, old, new) = (Authority::new("ca"), Authority::new("old"), Authority::new("new"));
    let entry = ssl("s", &["a.test"], &ca.server(&["a.test"]));
    let with = |people: &Authority| snapshot(json!([demanding(entry.clone(), people, 1)]), None);
    let (engine, _, address) = start(&with(&old));
    let client = Arc::new(old.client("jack").shown_by(ca.trusted()));
    for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
        let mut stream = connect(address, "a.test", &client).await.unwrap();
        assert!(ask(&mut stream, "a.test").await.unwrap().ends_with("here"));
        assert_eq!(stream.get_ref().1.handshake_kind(), Some(kind));
    }
    engine.apply(&with(&new).to_string()).unwrap();
    let answer = match connect(address, "a.test", &client).await {
        Ok(mut stream) => ask(&mut stream, "a.test").await,
        Err(error) => Err(error),
    };
    assert!(answer.is_err(), "{answer:?}");
}

#[tokio::test]
async fn a_client_that_says_nothing_is_left() {
    let ca = Authority::new("ca");
    let mut snapshot = snapshot(json!([ssl("s", &["a.test"], &ca.server(&["a.test"]))]), None);
    snapshot["gateway"]["limits"] = json!({"handshake_timeout_ms": 20});
    let (_engine, _, address) = start(&snapshot);
    let mut stream = TcpStream::connect(address).await.unwrap();
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
}

#[test]
fn says_where_a_certificate_cannot_be_used() {
    let (ca, other) = (Authority::new("ca"), Authority::new("other"));
    let (pair, strange) = (ca.server(&["a.test"]), other.server(&["b.test"]));
    let mixed = Pair { key: strange.key.clone(), ..pair.clone() };
    let mut no_authority = ssl("n", &["c.test"], &pair);
    no_authority["client"] = json!({"ca": "x", "depth": 1});
    let mut no_pattern = demanding(ssl("p", &["d.test"], &pair), &ca, 1);
    no_pattern["client"]["skip_paths"] = json!(["/a", "a)|(b"]);
    let ssls = json!([
        ssl("s", &["a.test"], &mixed),
        no_authority,
        ssl("t", &["a.test"], &pair),
        ssl("u", &["A.test"], &pair),
        no_pattern,
    ]);
    let error = Engine::check(&snapshot(ssls, None).to_string()).unwrap_err();
    let told: Vec<_> = error.problems.iter().map(|(at, why)| format!("{at}: {why}")).collect();
    assert_eq!(
        told,
        [
            "/ssls/0/certificates/0/key: the private key is not that of the certificate",
            "/ssls/1/client/ca: there is no usable certificate authority in this PEM",
            "/ssls/3/snis: another of the ssls has the server name \"A.test\"",
            "/ssls/4/client/skip_paths: regex parse error:\n    a)|(b\n     ^\nerror: unopened group",
        ]
    );
}
