//! Connections that have changed protocol (RFC 9110, section 7.8), such as WebSocket: bytes pass both ways until one
//! side closes or both have been silent for too long.

use super::h1::Connection;
use crate::exchange::Ending;
use crate::server::Worker;
use crate::server::upgrade::Upgrade;
use bytes::BytesMut;
use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Bytes that one read takes.
const PIECE: usize = 16 << 10;

/// Both sides, before the client has its answer.
pub struct Tunnel {
    pub client: Upgrade,
    pub connection: Box<Connection>,
    /// As long as neither side says anything.
    pub patience: Duration,
}

/// What has passed, and when last.
struct Traffic {
    last: Cell<Instant>,
    received: Cell<u64>,
    sent: Cell<u64>,
}

impl Tunnel {
    /// Passes bytes on once the client has got its answer. The record is written when the tunnel ends.
    pub fn start(self, worker: &Rc<Worker>, mut record: Ending) {
        let open = worker.tunnels.clone();
        tokio::task::spawn_local(async move {
            let traffic =
                Traffic { last: Cell::new(Instant::now()), received: Cell::new(0), sent: Cell::new(0) };
            let patience = self.patience;
            tokio::select! {
                // However it ends, both sides are closed and the record tells how much has passed.
                ended = self.pass(&traffic) => record.complete = ended.is_ok(),
                () = silence(&traffic, patience) => {}
            }
            record.bytes_received = traffic.received.get();
            record.bytes_sent = traffic.sent.get();
            drop((record, open));
        });
    }

    async fn pass(self, traffic: &Traffic) -> io::Result<()> {
        let (from_client, mut to_client) = tokio::io::split(self.client.stream().await?);
        let early = self.connection.inbox.buffer;
        to_client.write_all(&early).await?;
        traffic.sent.set(early.len() as u64);
        let (from_upstream, to_upstream) = tokio::io::split(self.connection.stream);
        tokio::try_join!(
            pump(from_client, to_upstream, &traffic.received, &traffic.last),
            pump(from_upstream, to_client, &traffic.sent, &traffic.last),
        )?;
        Ok(())
    }
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    passed: &Cell<u64>,
    last: &Cell<Instant>,
) -> io::Result<()> {
    let mut piece = BytesMut::with_capacity(PIECE);
    while from.read_buf(&mut piece).await? > 0 {
        to.write_all(&piece).await?;
        to.flush().await?;
        passed.set(passed.get() + piece.len() as u64);
        last.set(Instant::now());
        piece.clear();
    }
    to.shutdown().await
}

async fn silence(traffic: &Traffic, patience: Duration) {
    loop {
        let deadline = traffic.last.get() + patience;
        if deadline <= Instant::now() {
            return;
        }
        tokio::time::sleep_until(deadline.into()).await;
    }
}
