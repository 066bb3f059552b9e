use super::*;
use crate::outbound::testing::on_worker;
use toolway_testkit::{ScriptedUpstream, Step};

fn built(url: &str, settings: &Settings) -> Result<Endpoint, String> {
    Endpoint::build(url, settings, &State::default())
}

async fn ask(worker: &Rc<Worker>, url: &str, settings: &Settings) -> Result<Reply, String> {
    let endpoint = Endpoint::build(url, settings, &worker.shared.state).unwrap();
    endpoint.ask(worker, Question::get_json()).await.map_err(|fault| fault.to_string())
}

async fn server(script: impl Into<Vec<Step>>) -> ScriptedUpstream {
    ScriptedUpstream::start(script).await.unwrap()
}

#[test]
fn asks_and_gives_the_whole_answer() {
    on_worker(|worker| async move {
        let server = server([Step::ok("{\"a\": 1}")]).await;
        let url = format!("http://{}/keys?tenant=7", server.address());
        let endpoint = Endpoint::build(&url, &Settings::default(), &worker.shared.state).unwrap();
        let mut question = Question::get_json();
        (question.method, question.body) = (Method::POST, Bytes::from_static(b"token=x"));
        let reply = endpoint.ask(&worker, question).await.unwrap();
        assert_eq!(reply.status, 200);
        assert_eq!(reply.json::<serde_json::Value>().unwrap(), serde_json::json!({"a": 1}));
        let sent = &server.received()[0];
        assert_eq!(sent.line(), "POST /keys?tenant=7 HTTP/1.1");
        assert_eq!(sent.header("host"), Some(server.address().to_string().as_str()));
        assert_eq!(sent.header("accept"), Some("application/json"));
        assert_eq!(sent.body(), b"token=x");
    });
}

#[test]
fn uses_a_connection_again_and_a_new_one_where_it_was_closed_meanwhile() {
    on_worker(|worker| async move {
        let server = server([Step::ok("1"), Step::ok("2"), Step::Close, Step::ok("4")]).await;
        let url = format!("http://{}/", server.address());
        for expected in ["1", "2", "4"] {
            assert_eq!(ask(&worker, &url, &Settings::default()).await.unwrap().body, expected);
        }
        assert_eq!((server.received().len(), server.connections()), (4, 2));
    });
}

#[test]
fn an_answer_has_a_bound_in_size() {
    on_worker(|worker| async move {
        let server = server([
            Step::ok("12345678"),
            Step::Answer(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n123456789\r\n0\r\n\r\n".into(),
            ),
        ])
        .await;
        let url = format!("http://{}/keys?secret=x", server.address());
        let settings = Settings { most_bytes: 8, ..Settings::default() };
        assert_eq!(ask(&worker, &url, &settings).await.unwrap().body, "12345678");
        let fault = ask(&worker, &url, &settings).await.unwrap_err();
        assert_eq!(fault, format!("http://{}/keys: its answer has more than 8 bytes", server.address()));
    });
}

#[test]
fn an_answer_has_a_bound_in_time() {
    on_worker(|worker| async move {
        let server = server([Step::Stall("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1".into())]).await;
        let url = format!("http://{}/", server.address());
        let settings = Settings { timeout: Duration::from_millis(50), ..Settings::default() };
        let fault = ask(&worker, &url, &settings).await.unwrap_err();
        assert!(fault.starts_with(&url), "{fault}");
    });
}

#[test]
fn says_who_could_not_be_asked() {
    on_worker(|worker| async move {
        let nobody = toolway_testkit::closed_address().unwrap();
        let fault = ask(&worker, &format!("http://{nobody}/keys"), &Settings::default()).await.unwrap_err();
        assert!(
            fault.starts_with(&format!("http://{nobody}/keys: ")) && fault.contains("refused"),
            "{fault}"
        );
    });
}

#[test]
fn what_another_server_named_is_not_looked_for_at_home() {
    on_worker(|worker| async move {
        let server = server([Step::ok("{}")]).await;
        for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
            let url = format!("http://{host}:{}/", server.address().port());
            let settings = Settings { reach: Reach::Public, ..Settings::default() };
            let fault = ask(&worker, &url, &settings).await.unwrap_err();
            assert!(fault.contains("may not be asked"), "{fault}");
        }
        assert_eq!(server.connections(), 0);
    });
}

#[test]
fn follows_no_redirect_and_takes_no_coding() {
    on_worker(|worker| async move {
        let server = server([
            Step::Answer("HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n".into()),
            Step::Answer("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}".into()),
        ])
        .await;
        let url = format!("http://{}/", server.address());
        let reply = ask(&worker, &url, &Settings::default()).await.unwrap();
        assert!(reply.json::<serde_json::Value>().unwrap_err().to_string().ends_with("status 302"));
        assert!(ask(&worker, &url, &Settings::default()).await.unwrap_err().contains("coding"));
        assert_eq!(server.received().len(), 2);
    });
}

#[test]
fn what_an_answer_says_does_not_stand_in_a_fault() {
    on_worker(|worker| async move {
        let server = server([Step::ok("{\"access_token\": s3cret}")]).await;
        let url = format!("http://{}/", server.address());
        let reply = ask(&worker, &url, &Settings::default()).await.unwrap();
        let fault = reply.json::<serde_json::Value>().unwrap_err().to_string();
        assert!(fault.starts_with(&url) && !fault.contains("s3cret"), "{fault}");
    });
}

#[test]
fn takes_urls_and_nothing_else() {
    for (url, why) in [
        ("idp.example", "http"),
        ("ftp://idp.example/", "http"),
        ("https://", "not a URL"),
        ("https:///keys", "not a URL"),
        ("https://me:secret@idp.example/", "user"),
        ("https://idp.example/#top", "fragment"),
        ("http://idp.example:99999/", "port"),
        ("http://idp.example:0/", "port"),
        ("http://idp.example:/", "port"),
        ("http://idp example/", "not a URL"),
    ] {
        let message = built(url, &Settings::default()).err().unwrap_or_else(|| panic!("{url} was taken"));
        assert!(message.contains(why) && !message.contains("secret"), "{url}: {message}");
    }
    for (url, shown) in [
        ("http://idp.example", "http://idp.example/"),
        ("http://[::1]:8080/a?b=c", "http://[::1]:8080/a"),
        ("HTTP://idp.example:80/a", "http://idp.example:80/a"),
    ] {
        assert_eq!(&**built(url, &Settings::default()).unwrap().shown(), shown);
    }
}

/// A certificate for 127.0.0.1 and `name`, signed by itself.
fn certificate(name: &str) -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned(), name.to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

#[test]
fn believes_the_certificate_that_it_is_told_to_and_shows_its_own() {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let ((server, server_key), (client, client_key)) = (certificate("idp"), certificate("gateway"));
    let mut clients = rustls::RootCertStore::empty();
    clients.add(CertificateDer::from_pem_slice(client.as_bytes()).unwrap()).unwrap();
    let provider = crate::tls::provider();
    let verifier =
        rustls::server::WebPkiClientVerifier::builder_with_provider(clients.into(), provider.clone()).build();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.unwrap())
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(server.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(server_key.as_bytes()).unwrap(),
        );
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config.unwrap()));
    on_worker(|worker| async move {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                use tokio::io::{AsyncReadExt, AsyncWriteExt};
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let mut head = [0; 1024];
                if stream.read(&mut head).await.is_ok_and(|read| read > 0) {
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await.unwrap();
                }
            }
        });
        let pair = |cert, key| serde_json::from_value(serde_json::json!({"cert": cert, "key": key})).unwrap();
        let own: Certificate = pair(client.clone(), client_key);
        let good = Settings { ca: Some(server.clone()), certificate: Some(own), ..Settings::default() };
        assert_eq!(ask(&worker, &url, &good).await.unwrap().body, "{}");
        assert_eq!(ask(&worker, &url, &Settings { verify: false, ..good.clone() }).await.unwrap().body, "{}");
        for bad in
            [Settings { ca: Some(client), ..good.clone() }, Settings { certificate: None, ..good.clone() }]
        {
            assert!(ask(&worker, &url, &bad).await.unwrap_err().starts_with(&url));
        }
        assert!(
            Endpoint::build(&url, &Settings { ca: Some("x".into()), ..good }, &worker.shared.state).is_err()
        );
    });
}
