//! One probe of one node: a connection, and for HTTP a request of which only the status is read.

use super::Sign;
use crate::snapshot::{ActiveChecks, CheckKind, UpstreamDefinition};
use crate::upstream::resolve::Address;
use crate::upstream::{Member, tls};
use ::http::{HeaderName, HeaderValue, Uri};
use rustls::pki_types::ServerName;
use std::fmt::Write as _;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

/// A status line is not longer than this, whatever the node sends.
const STATUS_LINE: usize = 8192;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Whether the probes of an upstream can be sent. The error is a sentence that says what is wrong.
pub fn check(definition: &UpstreamDefinition) -> Result<(), String> {
    let Some(checks) = definition.checks.as_ref().and_then(|checks| checks.active.as_ref()) else {
        return Ok(());
    };
    if !checks.http_path.starts_with('/') || checks.http_path.parse::<Uri>().is_err() {
        return Err(format!("the path of the health check, {:?}, is not a path", checks.http_path));
    }
    if checks.host.as_deref().is_some_and(|host| host.is_empty() || HeaderValue::from_str(host).is_err()) {
        return Err("the host of the health check is not a valid host".to_owned());
    }
    for line in &checks.req_headers {
        let parts = line.split_once(':').map(|(name, value)| (name.parse::<HeaderName>(), value.trim()));
        if !matches!(parts, Some((Ok(_), value)) if HeaderValue::from_str(value).is_ok()) {
            return Err(format!("{line:?} is not a header; expected \"Name: value\""));
        }
    }
    if checks.kind == CheckKind::Https {
        tls::client_config(checks.tls_verify)?;
    }
    Ok(())
}

/// Probes the node. The caller sets the time limit.
pub async fn send(checks: &ActiveChecks, member: &Member) -> Sign {
    match attempt(checks, member).await {
        Ok(sign) => sign,
        Err(error) if error.kind() == io::ErrorKind::TimedOut => Sign::Timeout,
        Err(_) => Sign::Broken,
    }
}

async fn attempt(checks: &ActiveChecks, member: &Member) -> io::Result<Sign> {
    let mut stream: Box<dyn Stream> = match member.probe_address(checks.port) {
        Address::Unix(path) => Box::new(UnixStream::connect(&*path).await?),
        address => Box::new(TcpStream::connect(&*address.resolved().await?).await?),
    };
    if checks.kind == CheckKind::Tcp {
        return Ok(Sign::Connected);
    }
    let host = checks.host.as_deref().unwrap_or(&member.host);
    if checks.kind == CheckKind::Https {
        let name = host.rsplit_once(':').filter(|_| checks.host.is_some()).map_or(host, |(name, _)| name);
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        let config = tls::client_config(checks.tls_verify).map_err(io::Error::other)?;
        stream = Box::new(TlsConnector::from(config).connect(name, stream).await?);
    }
    stream.write_all(request(checks, member).as_bytes()).await?;
    Ok(Sign::Status(status(stream).await?))
}

fn request(checks: &ActiveChecks, member: &Member) -> String {
    let mut text = format!("GET {} HTTP/1.1\r\nHost: ", checks.http_path);
    // Writing to a string does not fail.
    let _ = match &checks.host {
        Some(host) => write!(text, "{host}"),
        None => write!(text, "{}", member.node.label),
    };
    let named = |wanted: &str| {
        let mut names = checks.req_headers.iter().filter_map(|line| line.split_once(':'));
        names.any(|(name, _)| name.eq_ignore_ascii_case(wanted))
    };
    text.push_str("\r\nConnection: close\r\n");
    if !named("user-agent") {
        text.push_str(concat!("User-Agent: toolway/", env!("CARGO_PKG_VERSION"), "\r\n"));
    }
    for line in &checks.req_headers {
        text.push_str(line.trim());
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    text
}

/// The status of the response, of which no more is read than its first line.
async fn status(stream: Box<dyn Stream>) -> io::Result<u16> {
    let mut line = Vec::with_capacity(256);
    let mut stream = stream.take(STATUS_LINE as u64);
    while !line.contains(&b'\n') {
        if stream.read_buf(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let text = String::from_utf8_lossy(&line);
    let mut words = text.split(' ');
    let version = words.next().filter(|word| word.starts_with("HTTP/1."));
    let status = version.and_then(|_| words.next()?.get(..3)?.parse().ok());
    status.ok_or_else(|| io::ErrorKind::InvalidData.into())
}
