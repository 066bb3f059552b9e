//! TLS at the listeners: which certificate a client gets, who it must be, and the handshake.
//!
//! [`TlsTable`] is a part of the generation, so certificates change with the snapshot while connections go on.
//! [`accept`] does a handshake within its time. What of a session must be known later is in [`TlsSession`].

mod client;
mod table;
mod tickets;

pub use client::{ClientCertificate, Demand};
pub use table::{TlsProblem, TlsTable, Unmet};
pub use tickets::Tickets;

use rustls::ProtocolVersion;
use std::io;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

/// The alert `unrecognized_name` (RFC 6066 section 3) in a record of its own.
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

/// What is known of a connection's TLS once the handshake is done.
#[derive(Debug)]
pub struct TlsSession {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: &'static str,
    /// The server name that the client asked for.
    pub server_name: Option<Box<str>>,
    /// The client's certificate, which was verified, where one was demanded.
    pub client: Option<ClientCertificate>,
    /// What was demanded of the client.
    pub demand: Option<Demand>,
    /// Whether HTTP/2 was agreed on.
    pub is_http2: bool,
}

/// Why there is no session. It is the client's affair, and counted by [`HandshakeError::reason`].
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    #[error("the client took too long")]
    Timeout,
    #[error("no certificate is configured for the server name {0:?}")]
    UnknownName(Option<String>),
    #[error("the client's certificate has expired since its session began")]
    Expired,
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl HandshakeError {
    /// The label that it is counted under.
    pub fn reason(&self) -> &'static str {
        let error = match self {
            HandshakeError::Timeout => return "timeout",
            HandshakeError::UnknownName(_) => return "unknown_name",
            HandshakeError::Expired => return "client_certificate",
            HandshakeError::Io(error) => error,
        };
        let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) else {
            return "closed";
        };
        match error {
            rustls::Error::NoCertificatesPresented | rustls::Error::InvalidCertificate(_) => {
                "client_certificate"
            }
            rustls::Error::AlertReceived(_) => "refused_by_client",
            rustls::Error::InvalidMessage(_) => "not_tls",
            rustls::Error::PeerIncompatible(_) | rustls::Error::NoApplicationProtocol => "incompatible",
            _ => "protocol",
        }
    }
}

/// Does the handshake with a client within `limit`. `turns` bounds how many are under way.
///
/// # Errors
/// Whatever keeps the client from a session; it has been told by an alert where that was possible.
pub async fn accept(
    stream: TcpStream,
    table: &TlsTable,
    limit: Duration,
    turns: &Semaphore,
) -> Result<(TlsStream<TcpStream>, TlsSession), HandshakeError> {
    let done = tokio::time::timeout(limit, handshake(stream, table, turns)).await;
    done.unwrap_or(Err(HandshakeError::Timeout))
}

async fn handshake(
    stream: TcpStream,
    table: &TlsTable,
    turns: &Semaphore,
) -> Result<(TlsStream<TcpStream>, TlsSession), HandshakeError> {
    let mut start = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream).await?;
    // Taken after the client's first message, so that those who say nothing hold nobody up.
    let turn = turns.acquire().await.map_err(io::Error::other)?;
    let name = start.client_hello().server_name().map(Box::<str>::from);
    let Some(entry) = table.find(name.as_deref()) else {
        start.io.write_all(&UNRECOGNIZED_NAME).await?;
        return Err(HandshakeError::UnknownName(name.map(String::from)));
    };
    let stream = start.into_stream(entry.config.clone()).await?;
    drop(turn);
    let (_, connection) = stream.get_ref();
    let shown = connection.peer_certificates().and_then(<[_]>::first).filter(|_| entry.demand.is_some());
    let client = shown.map(|der| ClientCertificate::of(der).ok_or(HandshakeError::Expired)).transpose()?;
    let session = TlsSession {
        version: match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
            _ => "TLSv1.3",
        },
        server_name: name,
        client,
        demand: entry.demand,
        is_http2: connection.alpn_protocol() == Some(b"h2"),
    };
    Ok((stream, session))
}
