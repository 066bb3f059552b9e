//! An upstream that answers each request by a script and keeps the exact bytes that it received.

use crate::message::{self, End};
use crate::patiently;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio::task::{JoinHandle, JoinSet};

/// What to do with one request.
#[derive(Clone, Debug)]
pub enum Step {
    /// Read the request, send these bytes, keep the connection.
    Answer(Vec<u8>),
    /// Read the request, send these bytes, close.
    AnswerAndClose(Vec<u8>),
    /// Send these bytes after the request's head, without waiting for its body, and close.
    AnswerEarly(Vec<u8>),
    /// Read the request and send these pieces, each after one [`ScriptedUpstream::release`]; keep the connection.
    AnswerSlowly(Vec<Vec<u8>>),
    /// Read the request, send these bytes (perhaps none) and then nothing more, with the connection open.
    Stall(Vec<u8>),
    /// Read the request and close without an answer.
    Close,
}

impl Step {
    /// A 200 with this body and its length.
    pub fn ok(body: &str) -> Self {
        Self::Answer(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes())
    }
}

/// One request as it came over the wire.
#[derive(Clone, PartialEq, Eq)]
pub struct Received {
    /// Which accepted connection it came on, from 0.
    pub connection: usize,
    /// The request's head, and its body unless the step answers early.
    pub bytes: Vec<u8>,
}

/// A listener on loopback whose answers are scripted; it ends when it is dropped.
#[derive(Debug)]
pub struct ScriptedUpstream {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    script: Vec<Step>,
    records: Mutex<Records>,
    changed: Notify,
    released: Semaphore,
}

#[derive(Debug, Default)]
struct Records {
    /// Requests whose step has been decided.
    begun: usize,
    accepted: usize,
    closed: usize,
    received: Vec<Received>,
}

/// The address of a port on which nobody listens: connecting to it is refused.
pub fn closed_address() -> io::Result<SocketAddr> {
    std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()
}

impl ScriptedUpstream {
    /// Starts on the current runtime. Requests take the steps in order over all connections; the last step repeats.
    ///
    /// # Panics
    /// If the script is empty.
    pub async fn start(script: impl Into<Vec<Step>>) -> io::Result<Self> {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), script).await
    }

    /// The same at a given address, such as that of one that was stopped.
    ///
    /// # Panics
    /// If the script is empty.
    pub async fn start_at(address: SocketAddr, script: impl Into<Vec<Step>>) -> io::Result<Self> {
        let script = script.into();
        assert!(!script.is_empty(), "a script needs at least one step");
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            script,
            records: Mutex::default(),
            changed: Notify::new(),
            released: Semaphore::new(0),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, accepting })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The requests so far, in the order in which they were complete.
    pub fn received(&self) -> Vec<Received> {
        self.shared.records().received.clone()
    }

    /// How many connections were accepted so far.
    pub fn connections(&self) -> usize {
        self.shared.records().accepted
    }

    /// Waits until `count` requests are complete, and gives all of them.
    pub async fn wait_for_requests(&self, count: usize) -> io::Result<Vec<Received>> {
        self.wait(&format!("no {count} requests came"), |records| records.received.len() >= count).await?;
        Ok(self.received())
    }

    /// Waits until `count` connections are over, whichever side closed them.
    pub async fn wait_for_closed(&self, count: usize) -> io::Result<()> {
        self.wait(&format!("no {count} connections were closed"), |records| records.closed >= count).await
    }

    /// Lets one more piece of a [`Step::AnswerSlowly`] go, now or when it comes to it.
    pub fn release(&self) {
        self.shared.released.add_permits(1);
    }

    /// Stops listening and closes every connection; the address is free when this returns.
    pub async fn stop(mut self) -> SocketAddr {
        self.accepting.abort();
        // An error is what aborting gives.
        let _ = (&mut self.accepting).await;
        self.address
    }

    async fn wait(&self, what: &str, is_reached: impl Fn(&Records) -> bool) -> io::Result<()> {
        let reached = async {
            loop {
                // Made before looking, so that no change is missed in between.
                let changed = self.shared.changed.notified();
                if is_reached(&self.shared.records()) {
                    return Ok(());
                }
                changed.await;
            }
        };
        patiently(what, reached).await
    }
}

impl Drop for ScriptedUpstream {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().expect("no task panics with the records in hand")
    }

    fn change<A>(&self, change: impl FnOnce(&mut Records) -> A) -> A {
        let answer = change(&mut self.records());
        self.changed.notify_waiters();
        answer
    }

    fn next_step(&self) -> Step {
        let begun = self.change(|records| {
            records.begun += 1;
            records.begun - 1
        });
        self.script[begun.min(self.script.len() - 1)].clone()
    }
}

/// Serves every connection until aborted, which ends the connections too.
async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut serving = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let connection = shared.change(|records| {
            records.accepted += 1;
            records.accepted - 1
        });
        let shared = Arc::clone(&shared);
        serving.spawn(async move {
            // A connection that breaks is over like one that closes; what came is in the records.
            let _ = serve(stream, connection, &shared).await;
            shared.change(|records| records.closed += 1);
        });
    }
}

async fn serve(mut stream: TcpStream, connection: usize, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut pending = Vec::new();
    loop {
        if !read_until(&mut stream, &mut pending, |bytes| {
            message::head_end(bytes).map_or(End::Later, End::At)
        })
        .await?
        {
            return Ok(());
        }
        let step = shared.next_step();
        let is_early = matches!(step, Step::AnswerEarly(_));
        if !is_early && !read_until(&mut stream, &mut pending, message::request_end).await? {
            return Ok(());
        }
        let bytes = match message::request_end(&pending) {
            End::At(end) if !is_early => {
                let rest = pending.split_off(end);
                std::mem::replace(&mut pending, rest)
            }
            _ => std::mem::take(&mut pending),
        };
        shared.change(|records| records.received.push(Received { connection, bytes }));
        if !perform(&mut stream, step, shared).await? {
            stream.shutdown().await?;
            // Bytes that nobody reads would make the system reset the connection and could take the answer with them.
            return read_until(&mut stream, &mut pending, |_| End::Later).await.map(drop);
        }
    }
}

/// Does what a step says after the request; false if the connection is then to be closed.
async fn perform(stream: &mut TcpStream, step: Step, shared: &Shared) -> io::Result<bool> {
    match step {
        Step::Answer(bytes) => stream.write_all(&bytes).await.map(|()| true),
        Step::AnswerAndClose(bytes) | Step::AnswerEarly(bytes) => {
            stream.write_all(&bytes).await.map(|()| false)
        }
        Step::AnswerSlowly(pieces) => {
            for piece in pieces {
                shared.released.acquire().await.map_err(io::Error::other)?.forget();
                stream.write_all(&piece).await?;
            }
            Ok(true)
        }
        Step::Stall(bytes) => {
            stream.write_all(&bytes).await?;
            // The other side closing is all that ends this.
            read_until(stream, &mut Vec::new(), |_| End::Later).await
        }
        Step::Close => Ok(false),
    }
}

/// Reads until `end` finds an end; false if the other side closes before.
async fn read_until(
    stream: &mut TcpStream,
    pending: &mut Vec<u8>,
    end: impl Fn(&[u8]) -> End,
) -> io::Result<bool> {
    while end(pending) == End::Later {
        if stream.read_buf(pending).await? == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Received {
    /// The request line.
    pub fn line(&self) -> String {
        let line = self.bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
        String::from_utf8_lossy(line).into_owned()
    }

    /// The first value of a header; names compare without case.
    pub fn header(&self, name: &str) -> Option<&str> {
        message::header(&self.bytes, name)
    }

    /// The body, without chunk framing.
    pub fn body(&self) -> Vec<u8> {
        message::body(&self.bytes)
    }

    /// All of it as text, for exact comparison.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

impl fmt::Debug for Received {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Received({}, {:?})", self.connection, self.text())
    }
}
