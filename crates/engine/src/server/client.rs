//! A client's stream: a client that takes nothing of what is written for it loses its connection in the end.

use crate::patience::Patience;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes of head and body that are written as one piece.
const MOST_JOINED: usize = 2048;

/// `inner`, whose writes fail when the client has taken nothing for `limit`.
pub struct ClientStream<S> {
    inner: S,
    limit: Duration,
    patience: Patience,
}

impl<S> ClientStream<S> {
    pub fn new(inner: S, limit: Duration) -> Self {
        Self { inner, limit, patience: Patience::default() }
    }

    fn bound<T>(&mut self, polled: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        match self.patience.bound(polled, self.limit, context) {
            Ok(polled) => polled,
            Err(_) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
        }
    }
}

/// `slices` as one, where they fit `room`: copying a little costs less than the kernel's way with a list.
fn joined<'a>(slices: &[IoSlice<'_>], room: &'a mut [u8]) -> Option<&'a [u8]> {
    let mut end = 0;
    for slice in slices {
        let next = end + slice.len();
        room.get_mut(end..next)?.copy_from_slice(slice);
        end = next;
    }
    room.get(..end)
}

impl<S: AsyncRead + Unpin> AsyncRead for ClientStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ClientStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.bound(polled, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = match joined(slices, &mut [0; MOST_JOINED]) {
            Some(bytes) => Pin::new(&mut self.inner).poll_write(context, bytes),
            None => Pin::new(&mut self.inner).poll_write_vectored(context, slices),
        };
        self.bound(polled, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_flush(context);
        self.bound(polled, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_shutdown(context);
        self.bound(polled, context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_loses_its_connection() {
        let (_client, server) = duplex(4);
        let mut stream = ClientStream::new(server, Duration::from_secs(60));
        let error = stream.write_all(&[0; 8]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_client_that_takes_something_keeps_it() {
        let (mut client, server) = duplex(4);
        let mut stream = ClientStream::new(server, Duration::from_secs(60));
        let reader = tokio::spawn(async move {
            for _ in 0..3 {
                tokio::time::sleep(Duration::from_secs(50)).await;
                client.read_exact(&mut [0; 4]).await.unwrap();
            }
        });
        stream.write_all(&[0; 12]).await.unwrap();
        reader.await.unwrap();
    }
}
