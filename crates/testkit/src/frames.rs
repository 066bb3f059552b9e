//! HTTP/2 frame by frame (RFC 9113), as an upstream: what a test does not send does not happen, so that resets, refusals
//! and limits come exactly where they are meant to. Header blocks are opaque bytes.

use crate::patiently;
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Types of frames (RFC 9113 section 6).
pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;

/// Flags of DATA and HEADERS; ACK is that of SETTINGS and PING.
pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;
pub const ACK: u8 = 1;

/// Names of settings (RFC 9113 section 6.5.2).
pub const MAX_CONCURRENT_STREAMS: u16 = 3;

/// Error codes (RFC 9113 section 7).
pub const NO_ERROR: u32 = 0;
pub const INTERNAL_ERROR: u32 = 2;
pub const REFUSED_STREAM: u32 = 7;
pub const CANCEL: u32 = 8;

/// `:status: 200` and nothing else (RFC 7541 appendix A).
pub const STATUS_200: &[u8] = &[0x88];

/// A frame as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

/// A listener on loopback whose connections speak HTTP/2.
#[derive(Debug)]
pub struct FrameListener(TcpListener);

/// One connection, after the prefaces.
#[derive(Debug)]
pub struct FrameConnection {
    stream: TcpStream,
}

impl FrameListener {
    /// Listens on a free port.
    pub async fn start() -> io::Result<Self> {
        TcpListener::bind("127.0.0.1:0").await.map(Self)
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// The next connection, greeted with these settings.
    pub async fn accept(&self, settings: &[(u16, u32)]) -> io::Result<FrameConnection> {
        let (stream, _) = patiently("no connection came", self.0.accept()).await?;
        stream.set_nodelay(true)?;
        let mut connection = FrameConnection { stream };
        let mut preface = vec![0; PREFACE.len()];
        patiently("no preface came", connection.stream.read_exact(&mut preface)).await?;
        if preface != PREFACE {
            return Err(io::Error::other(format!("not a preface: {:?}", String::from_utf8_lossy(&preface))));
        }
        let settings: Vec<u8> = settings
            .iter()
            .flat_map(|(name, value)| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat())
            .collect();
        connection.send(SETTINGS, 0, 0, &settings).await?;
        connection.send(SETTINGS, ACK, 0, &[]).await?;
        Ok(connection)
    }
}

impl FrameConnection {
    /// The next frame, whatever it is. `UnexpectedEof` when the other side has closed.
    pub async fn next(&mut self) -> io::Result<Frame> {
        let mut head = [0; 9];
        patiently("no frame came", self.stream.read_exact(&mut head)).await?;
        let [high, middle, low, kind, flags, stream @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, high, middle, low]) as usize];
        patiently("a frame broke off", self.stream.read_exact(&mut payload)).await?;
        Ok(Frame { kind, flags, stream: u32::from_be_bytes(stream), payload })
    }

    /// The next frame of type `kind`; others before it are read over.
    pub async fn next_of(&mut self, kind: u8) -> io::Result<Frame> {
        loop {
            let frame = self.next().await?;
            if frame.kind == kind {
                return Ok(frame);
            }
        }
    }

    /// Reads a request to its end, and gives its stream and body.
    pub async fn request(&mut self) -> io::Result<(u32, Vec<u8>)> {
        let head = self.next_of(HEADERS).await?;
        let mut body = Vec::new();
        let mut flags = head.flags;
        while flags & END_STREAM == 0 {
            let frame = self.next().await?;
            if frame.stream == head.stream && matches!(frame.kind, DATA | HEADERS) {
                flags = frame.flags;
                if frame.kind == DATA {
                    body.extend(frame.payload);
                }
            }
        }
        Ok((head.stream, body))
    }

    /// Sends a frame.
    pub async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> io::Result<()> {
        let length = u32::try_from(payload.len()).map_err(io::Error::other)?.to_be_bytes();
        let frame = [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat();
        patiently("a frame was not taken", self.stream.write_all(&frame)).await
    }

    /// Answers 200 with `body`, and ends the stream.
    pub async fn answer(&mut self, stream: u32, body: &[u8]) -> io::Result<()> {
        self.send(HEADERS, END_HEADERS, stream, STATUS_200).await?;
        self.send(DATA, END_STREAM, stream, body).await
    }

    /// Resets a stream.
    pub async fn reset(&mut self, stream: u32, code: u32) -> io::Result<()> {
        self.send(RST_STREAM, 0, stream, &code.to_be_bytes()).await
    }

    /// Says that no stream after `last` is or will be looked at.
    pub async fn go_away(&mut self, last: u32, code: u32) -> io::Result<()> {
        self.send(GOAWAY, 0, 0, &[last.to_be_bytes(), code.to_be_bytes()].concat()).await
    }
}
