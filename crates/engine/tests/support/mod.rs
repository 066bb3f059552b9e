//! What the tests of listeners share: snapshots, certificates and TLS clients.
#![allow(dead_code, clippy::unwrap_used)]

pub mod h2c;

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde_json::{Value, json};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use toolway_engine::Engine;

/// An authority, or one below it, and its certificate.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub pem: String,
}

/// A certificate with its key, in PEM; the certificates of those who signed it may follow.
#[derive(Clone)]
pub struct Pair {
    pub cert: String,
    pub key: String,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        Self::signed_by(None, name)
    }

    /// An authority whose certificate this one signs.
    pub fn below(&self, name: &str) -> Self {
        Self::signed_by(Some(self), name)
    }

    fn signed_by(parent: Option<&Self>, name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let cert = match parent {
            Some(parent) => params.signed_by(&key, &parent.issuer).unwrap(),
            None => params.self_signed(&key).unwrap(),
        };
        Self { pem: cert.pem(), issuer: Issuer::new(params, key) }
    }

    pub fn server(&self, names: &[&str]) -> Pair {
        self.sign(names, "server", ExtendedKeyUsagePurpose::ServerAuth)
    }

    pub fn client(&self, name: &str) -> Pair {
        self.sign(&[], name, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn sign(&self, names: &[&str], common: &str, usage: ExtendedKeyUsagePurpose) -> Pair {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, common);
        params.extended_key_usages = vec![usage];
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        Pair { cert: cert.pem(), key: key.serialize_pem() }
    }

    /// What a client that believes this authority is configured with.
    pub fn trusted(&self) -> ClientBuilder {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
    }
}

pub type ClientBuilder = rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>;

impl Pair {
    pub fn json(&self) -> Value {
        json!({"cert": self.cert, "key": self.key})
    }

    /// The same, with `authority`'s certificate after it.
    pub fn below(&self, authority: &Authority) -> Self {
        Self { cert: format!("{}{}", self.cert, authority.pem), key: self.key.clone() }
    }

    /// What a server that shows it is configured with.
    pub fn server_config(&self) -> ServerConfig {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(self.cert.as_bytes()).collect();
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        builder.unwrap().with_no_client_auth().with_single_cert(chain.unwrap(), key).unwrap()
    }

    pub fn shown_by(&self, client: ClientBuilder) -> ClientConfig {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(self.cert.as_bytes()).collect();
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap();
        client.with_client_auth_cert(chain.unwrap(), key).unwrap()
    }
}

/// An entry of `ssls` that shows `pair` for `snis`.
pub fn ssl(id: &str, snis: &[&str], pair: &Pair) -> Value {
    json!({"id": id, "snis": snis, "certificates": [pair.json()], "protocols": ["TLSv1.2", "TLSv1.3"]})
}

/// A snapshot with a plain and a TLS listener, whose routes for `/*` go to `node`.
pub fn snapshot(ssls: Value, node: Option<SocketAddr>) -> Value {
    let upstreams = node.map(|node| {
        json!({
            "id": "up", "scheme": "http", "pass_host": "pass", "retries": 0, "tls_verify": true,
            "nodes": [{"host": node.ip().to_string(), "port": node.port(), "weight": 1}],
            "timeout": {"connect_ms": 5000, "send_ms": 5000, "read_ms": 5000},
            "keepalive": {"size": 8, "idle_timeout_ms": 60000, "requests": 1000},
        })
    });
    let target = match node {
        Some(_) => json!({"upstream": {"id": "up"}}),
        None => json!({"static": {"status": 200, "body": "here"}}),
    };
    json!({
        "version": 1,
        "gateway": {"listen": ["127.0.0.1:0"], "tls_listen": ["127.0.0.1:0"], "workers": 2},
        "upstreams": upstreams.into_iter().collect::<Vec<_>>(),
        "routes": [{"id": "r", "uris": ["/*"], "target": target}],
        "ssls": ssls,
    })
}

/// An engine that runs `snapshot`, with its plain and its TLS address.
pub fn start(snapshot: &Value) -> (Engine, SocketAddr, SocketAddr) {
    let engine = Engine::new(&snapshot.to_string()).unwrap();
    engine.start().unwrap();
    let plain = *engine.listen_addresses().first().unwrap();
    let tls = *engine.tls_listen_addresses().first().unwrap();
    (engine, plain, tls)
}

/// A connection for `name`, with its handshake done.
pub async fn connect(
    address: SocketAddr,
    name: &str,
    config: &Arc<ClientConfig>,
) -> io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    TlsConnector::from(config.clone()).connect(name, stream).await
}

/// One request for `host` that ends the connection, and all that comes back. Whatever refuses the client at the
/// end of its handshake shows up here, since a TLS 1.3 client is done before the server.
pub async fn ask(stream: &mut TlsStream<TcpStream>, host: &str) -> io::Result<String> {
    ask_for(stream, host, "/").await
}

/// The same for another path.
pub async fn ask_for(stream: &mut TlsStream<TcpStream>, host: &str, path: &str) -> io::Result<String> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
