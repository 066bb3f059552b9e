//! What was read of a connection and not yet taken. Messages are mostly short, so the first read of one goes by the
//! stack and is kept in as much memory as it needs; one that fills it is followed by larger reads.

use bytes::BytesMut;
use std::future::Future;
use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

/// Bytes that one read asks for: at first, and at most, after reads that filled what they had.
const SMALLEST_READ: usize = 8 << 10;
const LARGEST_READ: usize = 256 << 10;

pub struct Inbox {
    pub buffer: BytesMut,
    read_size: usize,
}

impl Inbox {
    /// One that begins with what was read already.
    pub fn new(buffer: BytesMut) -> Self {
        Self { buffer, read_size: SMALLEST_READ }
    }

    /// Reads more into the buffer. 0: the other side has closed.
    pub fn poll_fill<S>(&mut self, stream: &mut S, context: &mut Context<'_>) -> Poll<io::Result<usize>>
    where
        S: AsyncRead + Unpin,
    {
        let is_first = self.buffer.is_empty() && self.read_size == SMALLEST_READ;
        let (length, room) = match is_first {
            true => (ready!(self.poll_first(stream, context))?, SMALLEST_READ),
            false => {
                if self.buffer.capacity() - self.buffer.len() < self.read_size / 2 {
                    self.buffer.reserve(self.read_size);
                }
                let room = self.buffer.capacity() - self.buffer.len();
                (ready!(pin!(stream.read_buf(&mut self.buffer)).poll(context))?, room)
            }
        };
        if length == room {
            self.read_size = (self.read_size * 2).min(LARGEST_READ);
        }
        Poll::Ready(Ok(length))
    }

    fn poll_first<S>(&mut self, stream: &mut S, context: &mut Context<'_>) -> Poll<io::Result<usize>>
    where
        S: AsyncRead + Unpin,
    {
        let mut room = [MaybeUninit::uninit(); SMALLEST_READ];
        let mut read = ReadBuf::uninit(&mut room);
        ready!(Pin::new(stream).poll_read(context, &mut read))?;
        self.buffer = BytesMut::from(read.filled());
        Poll::Ready(Ok(self.buffer.len()))
    }

    /// Gives back the memory of large reads: another message begins, or none for a while.
    pub fn rest(&mut self) {
        self.read_size = SMALLEST_READ;
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
    }
}
