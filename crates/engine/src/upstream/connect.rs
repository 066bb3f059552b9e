//! New connections to nodes: TCP or Unix socket, and TLS where the scheme says so.

use super::delivery::Protocol;
use super::resolve::Address;
use super::stream::Stream;
use super::tls;
use crate::error::{Kind, ProxyError};
use crate::snapshot::{self, UpstreamDefinition};
use ::http::HeaderValue;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::io;
use std::sync::Arc;
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
        let scheme = upstream.scheme;
        let host = if node.port == scheme.port() { &authority } else { &label };
        let host = HeaderValue::from_str(host).map_err(|_| format!("{:?} is not a valid host", node.host))?;
        if scheme.is_tls() && matches!(address, Address::Unix(_)) {
            return Err("TLS over a Unix socket is not spoken; use the scheme http or grpc".to_owned());
        }
        let server_name = match scheme.is_tls() {
            false => None,
            true => Some(tls::server_name(upstream, &node.host)?),
        };
        let protocol = Protocol::of(upstream);
        let tls = server_name.as_ref().map(|name| {
            let settings = tls::digest(upstream.tls_verify, upstream.tls.as_ref(), protocol.names());
            format!("{} {settings:x?}", name.to_str())
        });
        let tls = tls.unwrap_or_default();
        let pool_key = format!("{} {protocol:?} {tls} {label} {address}", upstream.id).into();
        Ok(Self { label: label.into(), host, pool_key, server_name, address })
    }
}

/// Opens a connection. Whatever fails here, no byte of a request has been sent, so another node may be tried.
pub async fn open(node: &Node, tls: Option<&Arc<ClientConfig>>) -> Result<Stream, ProxyError> {
    let failed =
        |kind| move |error: io::Error| ProxyError::before_sending(kind, format!("{}: {error}", node.label));
    let unreachable = failed(Kind::UpstreamUnreachable);
    let addresses = match &node.address {
        Address::Unix(path) => {
            return UnixStream::connect(&**path).await.map(Stream::Unix).map_err(unreachable);
        }
        address @ (Address::Tcp(_) | Address::Name(..)) => address.resolved().await.map_err(&unreachable)?,
    };
    let stream = TcpStream::connect(&*addresses).await.map_err(&unreachable)?;
    stream.set_nodelay(true).map_err(&unreachable)?;
    let (Some(config), Some(name)) = (tls, &node.server_name) else { return Ok(Stream::Tcp(stream)) };
    let secured = TlsConnector::from(config.clone()).connect(name.clone(), stream).await;
    secured.map(|stream| Stream::Tls(Box::new(stream))).map_err(failed(Kind::UpstreamTls))
}
