//! The first bytes of a connection, which tell HTTP/2 by prior knowledge from HTTP/1 (RFC 9113 section 3.3).
//!
//! One read takes as much as has come, and hands it on with the stream, so that no read is spent on looking.

use bytes::{Buf, BytesMut};
use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What every HTTP/2 connection begins with; no HTTP/1 request does.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// As much as is read at first; most request heads are shorter.
const FIRST_READ: usize = 4096;

/// A stream whose first bytes have been read already.
pub struct Opened<S> {
    first: BytesMut,
    stream: S,
}

impl<S> Opened<S> {
    /// `first` was read of `stream`.
    pub fn new(first: BytesMut, stream: S) -> Self {
        Self { first, stream }
    }

    pub fn into_parts(self) -> (S, BytesMut) {
        (self.stream, self.first)
    }
}

/// Waits for the first bytes of `stream`. Whether they are HTTP/2's; none where the client closed without a word.
///
/// # Errors
/// Those of reading.
pub async fn open<S>(mut stream: S) -> io::Result<Option<(Opened<S>, bool)>>
where
    S: AsyncRead + Unpin,
{
    let mut first = BytesMut::new();
    while first.is_empty() || (first.len() < PREFACE.len() && PREFACE.starts_with(&first)) {
        let before = first.len();
        poll_fn(|context| read_more(&mut stream, &mut first, context)).await?;
        if first.len() == before {
            // What is left is for HTTP/1 to answer or not.
            break;
        }
    }
    if first.is_empty() {
        return Ok(None);
    }
    let is_http2 = first.starts_with(PREFACE);
    Ok(Some((Opened::new(first, stream), is_http2)))
}

/// Reads through the stack, so that a connection which says nothing holds no buffer.
fn read_more<S>(stream: &mut S, first: &mut BytesMut, context: &mut Context<'_>) -> Poll<io::Result<()>>
where
    S: AsyncRead + Unpin,
{
    let mut room = [MaybeUninit::uninit(); FIRST_READ];
    let mut buffer = ReadBuf::uninit(&mut room);
    ready!(Pin::new(stream).poll_read(context, &mut buffer))?;
    first.extend_from_slice(buffer.filled());
    Poll::Ready(Ok(()))
}

impl<S: AsyncRead + Unpin> AsyncRead for Opened<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.first.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let length = self.first.len().min(buffer.remaining());
        let (now, _) = self.first.split_at(length);
        buffer.put_slice(now);
        self.first.advance(length);
        if self.first.is_empty() {
            // An empty buffer would keep the memory of the whole.
            self.first = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Opened<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    /// What is read of pieces that come one after the other, and whether it is taken for HTTP/2.
    async fn opened(pieces: &[&[u8]]) -> Option<(Vec<u8>, bool)> {
        let (mut client, server) = duplex(1);
        let send = async {
            for piece in pieces {
                client.write_all(piece).await.unwrap();
            }
            drop(client);
        };
        let receive = async {
            let (mut stream, is_http2) = open(server).await.unwrap()?;
            let mut all = Vec::new();
            stream.read_to_end(&mut all).await.unwrap();
            Some((all, is_http2))
        };
        tokio::join!(send, receive).1
    }

    #[tokio::test]
    async fn tells_the_preface_however_it_is_cut() {
        let text = [PREFACE, b"rest"].concat();
        for cut in 0..text.len() {
            let (one, two) = text.split_at(cut);
            assert_eq!(opened(&[one, two]).await.unwrap(), (text.clone(), true));
        }
    }

    #[tokio::test]
    async fn anything_else_is_handed_on_whole_as_http1() {
        for text in ["G", "GET / HTTP/1.1\r\n\r\n", "PRI * HTTP/1.1\r\n\r\n", "PR"] {
            assert_eq!(opened(&[text.as_bytes()]).await.unwrap(), (text.into(), false));
        }
        assert_eq!(opened(&[]).await, None);
    }
}
