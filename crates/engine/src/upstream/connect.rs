//! New connections to nodes: TCP or Unix socket, TLS where the scheme says so, and hyper's HTTP/1 client on top.

use super::progress::Sending;
use super::resolve::Address;
use crate::error::{Kind, ProxyError};
use crate::snapshot::{self, Scheme, UpstreamDefinition};
use ::http::HeaderValue;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

/// A node, ready to be connected to.
#[derive(Clone)]
pub struct Node {
    /// `host:port`, for logs and metrics.
    pub label: Arc<str>,
    /// Host with the port where it is not the scheme's own.
    pub host: HeaderValue,
    /// What connections are pooled by: all that tells one peer from another.
    pub pool_key: Arc<str>,
    pub address: Address,
    server_name: Option<ServerName<'static>>,
}

impl Node {
    /// `node` of the snapshot at `address`, which is one of those that its name has.
    pub fn build(
        upstream: &UpstreamDefinition,
        node: &snapshot::Node,
        address: Address,
    ) -> Result<Self, String> {
        let authority = if node.host.contains(':') && !node.host.starts_with('[') {
            format!("[{}]", node.host)
        } else {
            node.host.clone()
        };
        let label = format!("{authority}:{}", node.port);
        let standard = matches!((upstream.scheme, node.port), (Scheme::Http, 80) | (Scheme::Https, 443));
        let host = if standard { &authority } else { &label };
        let host = HeaderValue::from_str(host).map_err(|_| format!("{:?} is not a valid host", node.host))?;
        let server_name = match upstream.scheme {
            Scheme::Http => None,
            Scheme::Https => {
                let name = node.host.trim_start_matches('[').trim_end_matches(']').to_owned();
                Some(ServerName::try_from(name).map_err(|_| format!("{:?} is no TLS name", node.host))?)
            }
        };
        let tls = match (upstream.scheme, upstream.tls_verify) {
            (Scheme::Http, _) => "http",
            (Scheme::Https, true) => "https",
            (Scheme::Https, false) => "https-unverified",
        };
        let pool_key = format!("{} {tls} {label} {address}", upstream.id).into();
        Ok(Self { label: label.into(), host, pool_key, server_name, address })
    }
}

/// Opens a connection. Whatever fails here, no byte of a request has been sent, so another node may be tried.
pub async fn open(node: &Node, tls: Option<&Arc<ClientConfig>>) -> Result<SendRequest<Sending>, ProxyError> {
    let unreachable = |error: io::Error| {
        ProxyError::before_sending(Kind::UpstreamUnreachable, format!("{}: {error}", node.label))
    };
    match &node.address {
        Address::Unix(path) => speak(UnixStream::connect(&**path).await.map_err(unreachable)?, node).await,
        address @ (Address::Tcp(_) | Address::Name(..)) => {
            let addresses = address.resolved().await.map_err(unreachable)?;
            let stream = TcpStream::connect(&*addresses).await.map_err(unreachable)?;
            stream.set_nodelay(true).map_err(unreachable)?;
            let (Some(config), Some(name)) = (tls, &node.server_name) else {
                return speak(stream, node).await;
            };
            let secured = TlsConnector::from(config.clone()).connect(name.clone(), stream).await;
            let secured = secured.map_err(|error| {
                ProxyError::before_sending(Kind::UpstreamTls, format!("{}: {error}", node.label))
            })?;
            speak(secured, node).await
        }
    }
}

async fn speak<S>(stream: S, node: &Node) -> Result<SendRequest<Sending>, ProxyError>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| {
        ProxyError::before_sending(Kind::UpstreamUnreachable, format!("{}: {error}", node.label))
    })?;
    // It ends when the sender is dropped or the upstream closes; the exchange sees either through the sender.
    tokio::task::spawn_local(async move {
        let _ = connection.await;
    });
    Ok(sender)
}
