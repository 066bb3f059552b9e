//! A client that sends exactly the bytes it is given and hands back exactly the bytes that come.

use crate::message::{self, End};
use crate::patiently;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One connection. Answers may be read one by one, so pipelining and keep-alive can be tested.
#[derive(Debug)]
pub struct RawClient {
    stream: TcpStream,
    /// What has come and belongs to the next answer.
    pending: Vec<u8>,
}

/// The bytes of one response.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    pub bytes: Vec<u8>,
}

impl RawClient {
    /// Connects to `address`.
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = patiently("no connection", TcpStream::connect(address)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, pending: Vec::new() })
    }

    /// Connects, sends `request`, reads one response and closes.
    pub async fn exchange(address: SocketAddr, request: impl AsRef<[u8]>) -> io::Result<Response> {
        let mut client = Self::connect(address).await?;
        client.send(request).await?;
        client.response().await
    }

    /// Sends these bytes, whatever they are.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        patiently("the bytes were not taken", self.stream.write_all(bytes.as_ref())).await
    }

    /// Says that no more will be sent; answers can still be read.
    pub async fn finish_sending(&mut self) -> io::Result<()> {
        self.stream.shutdown().await
    }

    /// The next response, be it an interim one such as 100, and not a byte more.
    ///
    /// One without a length ends with the connection. Fails with `UnexpectedEof` if the connection closes before.
    pub async fn response(&mut self) -> io::Result<Response> {
        self.read_response(false).await
    }

    /// The next response to a HEAD request, which has no body.
    pub async fn response_to_head(&mut self) -> io::Result<Response> {
        self.read_response(true).await
    }

    /// Everything until the other side closes; a connection that is reset ends it too.
    pub async fn until_close(&mut self) -> io::Result<Vec<u8>> {
        while self.read_more().await? {}
        Ok(std::mem::take(&mut self.pending))
    }

    async fn read_response(&mut self, is_to_head: bool) -> io::Result<Response> {
        loop {
            let end = message::response_end(&self.pending, is_to_head);
            if let End::At(end) = end {
                let rest = self.pending.split_off(end);
                return Ok(Response { bytes: std::mem::replace(&mut self.pending, rest) });
            }
            if !self.read_more().await? {
                if end == End::WithConnection {
                    return Ok(Response { bytes: std::mem::take(&mut self.pending) });
                }
                let came = String::from_utf8_lossy(&self.pending);
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("closed after {came:?}")));
            }
        }
    }

    /// Reads a piece; false when the other side has closed.
    async fn read_more(&mut self) -> io::Result<bool> {
        let what = format!("no more came after {:?}", String::from_utf8_lossy(&self.pending));
        match patiently(&what, self.stream.read_buf(&mut self.pending)).await {
            Ok(count) => Ok(count > 0),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Response {
    /// The status, 0 if the bytes are no response.
    pub fn status(&self) -> u16 {
        message::status(&self.bytes)
    }

    /// The first value of a header; names compare without case.
    pub fn header(&self, name: &str) -> Option<&str> {
        message::header(&self.bytes, name)
    }

    /// The body, without chunk framing.
    pub fn body(&self) -> Vec<u8> {
        message::body(&self.bytes)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body()).into_owned()
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Response({:?})", String::from_utf8_lossy(&self.bytes))
    }
}
