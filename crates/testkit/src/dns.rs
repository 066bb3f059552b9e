//! A name server on loopback that answers from a table which a test may change at any time.

use crate::patiently;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::net::UdpSocket;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

const TYPE_A: u16 = 1;
const TYPE_AAAA: u16 = 28;
const SERVER_FAILURE: u8 = 2;
const NO_SUCH_NAME: u8 = 3;

/// What a name has.
#[derive(Clone, Debug)]
pub enum DnsAnswer {
    /// These addresses, for so many seconds.
    Addresses(Vec<IpAddr>, u32),
    /// The server fails (SERVFAIL).
    Failure,
}

/// A name server over UDP; names that are not in its table do not exist. It ends when it is dropped.
#[derive(Debug)]
pub struct ScriptedResolver {
    address: SocketAddr,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    table: Mutex<HashMap<String, DnsAnswer>>,
    /// The names of the questions so far, in lower case and without the last dot.
    asked: Mutex<Vec<String>>,
    changed: Notify,
}

impl ScriptedResolver {
    /// Starts on the current runtime, with an empty table.
    pub async fn start() -> io::Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        let address = socket.local_addr()?;
        let shared = Arc::new(Shared::default());
        let serving = tokio::spawn(serve(socket, Arc::clone(&shared)));
        Ok(Self { address, shared, serving })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers questions for `name` so from now on.
    pub fn set(&self, name: &str, answer: DnsAnswer) {
        locked(&self.shared.table).insert(name.to_owned(), answer);
    }

    /// How often `name` was asked for so far.
    pub fn asked(&self, name: &str) -> usize {
        locked(&self.shared.asked).iter().filter(|asked| *asked == name).count()
    }

    /// Waits until `name` was asked for `count` times.
    pub async fn wait_for_questions(&self, name: &str, count: usize) -> io::Result<()> {
        let reached = async {
            loop {
                // Made before looking, so that no change is missed in between.
                let changed = self.shared.changed.notified();
                if self.asked(name) >= count {
                    return Ok(());
                }
                changed.await;
            }
        };
        patiently(&format!("{name} was not asked for {count} times"), reached).await
    }
}

impl Drop for ScriptedResolver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no task panics with the lock in hand")
}

async fn serve(socket: UdpSocket, shared: Arc<Shared>) {
    let mut buffer = [0; 1500];
    while let Ok((length, client)) = socket.recv_from(&mut buffer).await {
        let query = &buffer[..length];
        let Some((name, end)) = question(query) else {
            continue;
        };
        let key = name.to_ascii_lowercase();
        let answer = locked(&shared.table).get(&key).cloned();
        let reply = reply(&query[..end], answer);
        if socket.send_to(&reply, client).await.is_err() {
            return;
        }
        locked(&shared.asked).push(key);
        shared.changed.notify_waiters();
    }
}

/// The name of the one question (RFC 1035, section 4.1.2), and where the question ends.
fn question(query: &[u8]) -> Option<(String, usize)> {
    let mut at = 12;
    let mut labels = Vec::new();
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        if length == 0 {
            // Type and class follow.
            return (query.len() >= at + 4).then(|| (labels.join("."), at + 4));
        }
        labels.push(String::from_utf8_lossy(query.get(at..at + length)?).into_owned());
        at += length;
    }
}

/// The question again, and the records that answer it.
fn reply(query: &[u8], answer: Option<DnsAnswer>) -> Vec<u8> {
    let asked = u16::from_be_bytes([query[query.len() - 4], query[query.len() - 3]]);
    let (code, addresses, ttl) = match answer {
        Some(DnsAnswer::Addresses(addresses, ttl)) => (0, addresses, ttl),
        Some(DnsAnswer::Failure) => (SERVER_FAILURE, Vec::new(), 0),
        None => (NO_SUCH_NAME, Vec::new(), 0),
    };
    let records: Vec<Vec<u8>> = addresses
        .iter()
        .filter_map(|address| match address {
            IpAddr::V4(address) if asked == TYPE_A => Some(address.octets().to_vec()),
            IpAddr::V6(address) if asked == TYPE_AAAA => Some(address.octets().to_vec()),
            _ => None,
        })
        .collect();
    let count = u16::try_from(records.len()).expect("few records");
    let mut reply = query[..2].to_vec();
    // A response, recursion desired and available; then one question, the records, nothing else.
    reply.extend([0x81, 0x80 | code, 0, 1]);
    reply.extend(count.to_be_bytes());
    reply.extend([0; 4]);
    reply.extend(&query[12..]);
    for record in records {
        // The name is the question's, then type, class IN, time to live, length.
        reply.extend([0xc0, 12]);
        reply.extend(asked.to_be_bytes());
        reply.extend([0, 1]);
        reply.extend(ttl.to_be_bytes());
        reply.extend(u16::try_from(record.len()).expect("an address").to_be_bytes());
        reply.extend(record);
    }
    reply
}
