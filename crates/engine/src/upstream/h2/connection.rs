//! One HTTP/2 connection to a node, with many streams at once, and what it may still take.

use crate::snapshot::Keepalive;
use crate::upstream::stream::Stream;
use ::h2::client::{Builder, SendRequest};
use bytes::Bytes;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Streams at once on one connection, where the peer allows more.
const MOST_STREAMS: usize = 100;
/// Bytes that a node may send ahead of what the client takes, on one stream. The connection's window is that of all its
/// streams together, so that slow clients do not hold up the others.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = MOST_STREAMS as u32 * STREAM_WINDOW;
/// Bytes of a request's body that wait for the socket.
const SEND_BUFFER: usize = 256 << 10;
/// Bytes of a response's head.
const LONGEST_HEAD: u32 = 256 << 10;
/// How long a connection that nobody needs any more may take to say so.
const FAREWELL: Duration = Duration::from_secs(1);

/// The other half of a connection, which moves its bytes.
pub type Driver = ::h2::client::Connection<Stream, Bytes>;

pub struct Connection {
    sender: RefCell<SendRequest<Bytes>>,
    /// Counts connections of a worker; later ones have larger numbers.
    pub serial: u64,
    streams: Cell<usize>,
    used: Cell<u64>,
    idle_since: Cell<Instant>,
    retired: Cell<bool>,
    /// As the last exchange had it.
    keepalive: Cell<Keepalive>,
    /// The driver knows by its end that nobody needs the connection any more.
    _needed: oneshot::Sender<()>,
}

/// A place for one stream on a connection.
pub struct Lease {
    connection: Rc<Connection>,
    /// Whether the connection was made for this very exchange.
    pub is_first: bool,
}

/// Speaks HTTP/2 on `stream`, and waits for the peer's settings: it speaks HTTP/2 too, and says how much it takes.
pub async fn begin(stream: Stream) -> Result<(SendRequest<Bytes>, Driver), ::h2::Error> {
    let mut builder = Builder::new();
    builder
        .enable_push(false)
        .initial_max_send_streams(0)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(LONGEST_HEAD)
        .max_send_buffer_size(SEND_BUFFER);
    let (sender, mut driver) = builder.handshake(stream).await?;
    poll_fn(|context| match Pin::new(&mut driver).poll(context) {
        Poll::Ready(ended) => Poll::Ready(ended.and(Err(::h2::Reason::NO_ERROR.into()))),
        Poll::Pending if driver.max_concurrent_send_streams() > 0 => Poll::Ready(Ok(())),
        Poll::Pending => Poll::Pending,
    })
    .await?;
    Ok((sender, driver))
}

impl Connection {
    /// A connection whose bytes are moved from now on, in a task of this worker.
    pub fn start(sender: SendRequest<Bytes>, driver: Driver, serial: u64, keepalive: Keepalive) -> Rc<Self> {
        let (needed, unneeded) = oneshot::channel();
        tokio::task::spawn_local(drive(driver, unneeded));
        Rc::new(Self {
            sender: RefCell::new(sender),
            serial,
            streams: Cell::new(0),
            used: Cell::new(0),
            idle_since: Cell::new(Instant::now()),
            retired: Cell::new(false),
            keepalive: Cell::new(keepalive),
            _needed: needed,
        })
    }

    /// Whether it may take further streams, now or when others have ended.
    pub fn is_usable(&self) -> bool {
        !self.retired.get() && self.used.get() < self.keepalive.get().requests && self.is_open()
    }

    fn is_open(&self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        // An error is that of the connection: it is closed, or the peer has said GOAWAY.
        !matches!(self.sender.borrow_mut().poll_ready(&mut context), Poll::Ready(Err(_)))
    }

    pub fn has_room(&self) -> bool {
        self.streams.get() < self.sender.borrow().current_max_send_streams().min(MOST_STREAMS)
    }

    /// Whether it has had no stream for longer than it may.
    pub fn has_expired(&self) -> bool {
        let limit = Duration::from_millis(self.keepalive.get().idle_timeout_ms);
        self.is_idle() && self.idle_since.get().elapsed() >= limit
    }

    pub fn is_idle(&self) -> bool {
        self.streams.get() == 0
    }

    /// Idle connections to its node that are kept.
    pub fn most_idle(&self) -> usize {
        self.keepalive.get().size
    }
}

impl Lease {
    pub fn new(connection: &Rc<Connection>, keepalive: &Keepalive, is_first: bool) -> Self {
        connection.streams.set(connection.streams.get() + 1);
        connection.used.set(connection.used.get() + 1);
        connection.keepalive.set(*keepalive);
        Self { connection: connection.clone(), is_first }
    }

    pub fn serial(&self) -> u64 {
        self.connection.serial
    }

    pub fn sender(&self) -> SendRequest<Bytes> {
        self.connection.sender.borrow().clone()
    }

    /// Takes the connection out of use once its streams have ended: it may be dead without anybody knowing.
    pub fn retire(&self) {
        self.connection.retired.set(true);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.connection.streams.set(self.connection.streams.get().saturating_sub(1));
        self.connection.idle_since.set(Instant::now());
    }
}

async fn drive(mut driver: Driver, unneeded: oneshot::Receiver<()>) {
    tokio::select! {
        // Its streams and the next look at it tell what became of it.
        _ = &mut driver => return,
        _ = unneeded => {}
    }
    let _ = tokio::time::timeout(FAREWELL, driver).await;
}
