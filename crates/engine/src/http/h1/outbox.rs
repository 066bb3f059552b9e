//! What waits for a connection to take it, in the order in which it leaves.

use super::Framing;
use bytes::{Buf, Bytes};
use smallvec::SmallVec;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::AsyncWrite;

#[derive(Default)]
pub struct Outbox(SmallVec<[Bytes; 4]>);

impl Outbox {
    pub fn push(&mut self, bytes: Bytes) {
        self.0.push(bytes);
    }

    /// A piece of a body that is delimited by `framing`.
    pub fn push_data(&mut self, data: Bytes, framing: Framing) {
        if framing == Framing::Chunked {
            self.0.push(format!("{:x}\r\n", data.len()).into());
            self.0.push(data);
            self.0.push(Bytes::from_static(b"\r\n"));
        } else {
            self.0.push(data);
        }
    }

    /// How many pieces wait.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes once, as much as `stream` takes. There has to be something.
    pub fn poll_write<S>(&mut self, stream: &mut S, context: &mut Context<'_>) -> Poll<io::Result<()>>
    where
        S: AsyncWrite + Unpin,
    {
        let written = match self.0.as_slice() {
            [bytes] => ready!(Pin::new(stream).poll_write(context, bytes))?,
            pieces => {
                let slices: SmallVec<[IoSlice<'_>; 8]> =
                    pieces.iter().map(|bytes| IoSlice::new(bytes)).collect();
                ready!(Pin::new(stream).poll_write_vectored(context, &slices))?
            }
        };
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.forget(written);
        Poll::Ready(Ok(()))
    }

    /// Takes what was written out.
    fn forget(&mut self, mut written: usize) {
        let mut gone = 0;
        for bytes in &mut self.0 {
            let length = written.min(bytes.len());
            bytes.advance(length);
            written -= length;
            if !bytes.is_empty() {
                break;
            }
            gone += 1;
        }
        self.0.drain(..gone);
    }
}
