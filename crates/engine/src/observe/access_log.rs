//! The access log: one line of JSON for each exchange, written without making a worker wait.
//!
//! A worker formats its line into the lane of its thread, which is memory and nobody else's but for the moment in which
//! the writer takes all of it. The writer is a thread that wakes when there is something, waits a little for more,
//! and writes the lanes out. Where it cannot keep up, lines are dropped and counted, and no request is held up.

mod line;

use super::Record;
use line::Clock;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

/// Lanes; threads share them only where there are more threads.
const LANES: usize = 64;
/// Bytes that a lane holds at most. With the writer at a stand, each worker loses lines beyond this.
const LANE_BYTES: usize = 4 << 20;
/// How long the writer waits for more lines after the first.
const GATHER: Duration = Duration::from_millis(20);

/// A log that is open. Clones are handles of the same log; with the last, it is closed.
#[derive(Clone)]
pub struct AccessLog {
    shared: Arc<Shared>,
    writer: Arc<Writer>,
    /// None for the standard output.
    path: Option<Arc<Path>>,
}

struct Shared {
    lanes: Vec<Mutex<Lane>>,
    lane_bytes: usize,
    /// Whether the writer has been told that there are lines.
    told: AtomicBool,
    dropped: AtomicU64,
    /// What the writer goes over to before it writes the next lines.
    next: Mutex<Option<Box<dyn Sink>>>,
    closed: AtomicBool,
}

#[derive(Default)]
struct Lane {
    lines: Vec<u8>,
    clock: Clock,
}

/// The writing thread, which ends with this.
struct Writer {
    shared: Arc<Shared>,
    thread: Thread,
    handle: Mutex<Option<JoinHandle<()>>>,
}

impl AccessLog {
    /// Opens `target`: `stdout`, or the path of a file, which is made where it is missing and appended to. The error
    /// is that of opening the file.
    pub fn open(target: &str) -> io::Result<Self> {
        if target == "stdout" {
            return Self::to(Box::new(io::stdout()), None, LANE_BYTES);
        }
        let path = Path::new(target);
        Self::to(Box::new(append_to(path)?), Some(path.into()), LANE_BYTES)
    }

    fn to(sink: Box<dyn Sink>, path: Option<Arc<Path>>, lane_bytes: usize) -> io::Result<Self> {
        let lane = || Mutex::new(Lane { lines: Vec::with_capacity(lane_bytes.min(4096)), ..Lane::default() });
        let shared = Arc::new(Shared {
            lanes: (0..LANES).map(|_| lane()).collect(),
            lane_bytes,
            told: AtomicBool::new(false),
            dropped: AtomicU64::new(0),
            next: Mutex::default(),
            closed: AtomicBool::new(false),
        });
        let seen = shared.clone();
        let handle = thread::Builder::new().name("access-log".into()).spawn(move || seen.write_out(sink))?;
        let writer = Writer {
            shared: shared.clone(),
            thread: handle.thread().clone(),
            handle: Mutex::new(Some(handle)),
        };
        Ok(Self { shared, writer: Arc::new(writer), path })
    }

    /// Adds the record's line. After [`AccessLog::close`], and where its lane is full, the line is dropped.
    pub fn write(&self, record: &Record) {
        let Some(lane) = self.shared.lanes.get(lane_of_this_thread()) else {
            return;
        };
        let mut lane = lock(lane);
        if lane.lines.len() >= self.shared.lane_bytes || self.shared.closed.load(Ordering::Acquire) {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let Lane { lines, clock } = &mut *lane;
        line::write(record, clock, lines);
        drop(lane);
        self.wake_writer();
    }

    /// Lines that were lost since the log was opened.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    /// Opens the file anew, after it was moved away; it is there when this returns, and the next lines go to it. The
    /// error is that of opening it; the old file is then written on. The standard output stays as it is.
    pub fn reopen(&self) -> io::Result<()> {
        if let Some(path) = &self.path {
            *lock(&self.shared.next) = Some(Box::new(append_to(path)?));
            // Even without new lines, so that the old file is let go.
            self.wake_writer();
        }
        Ok(())
    }

    fn wake_writer(&self) {
        // Looked at before it is changed, so that workers do not wrest it from one another for each line.
        if !self.shared.told.load(Ordering::Acquire) && !self.shared.told.swap(true, Ordering::AcqRel) {
            self.writer.thread.unpark();
        }
    }

    /// Writes out what there is and ends the log.
    pub fn close(&self) {
        self.writer.close();
    }
}

impl Writer {
    fn close(&self) {
        self.shared.closed.store(true, Ordering::Release);
        self.thread.unpark();
        if let Some(handle) = lock(&self.handle).take() {
            // A writer that panicked has ended too.
            let _ = handle.join();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn write_out(&self, mut sink: Box<dyn Sink>) {
        // Two buffers go round: one is filled by workers while the other is written.
        let mut taken = Vec::new();
        loop {
            let is_last = self.closed.load(Ordering::Acquire);
            if !is_last && !self.told.load(Ordering::Acquire) {
                thread::park();
                continue;
            }
            if !is_last {
                thread::sleep(GATHER);
            }
            // Before the lanes are looked at, so that whoever comes later tells again.
            self.told.store(false, Ordering::Release);
            if let Some(next) = lock(&self.next).take() {
                sink = next;
            }
            for lane in &self.lanes {
                std::mem::swap(&mut lock(lane).lines, &mut taken);
                if !taken.is_empty() && sink.write(&taken).is_err() {
                    let lines = taken.iter().filter(|byte| **byte == b'\n').count();
                    self.dropped.fetch_add(lines as u64, Ordering::Relaxed);
                }
                taken.clear();
            }
            if is_last {
                return;
            }
        }
    }
}

/// Where lines are written to.
trait Sink: Send + 'static {
    fn write(&mut self, lines: &[u8]) -> io::Result<()>;
}

impl Sink for io::Stdout {
    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        let mut stdout = self.lock();
        stdout.write_all(lines)?;
        stdout.flush()
    }
}

impl Sink for File {
    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        self.write_all(lines)
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

fn lane_of_this_thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static LANE: usize = NEXT.fetch_add(1, Ordering::Relaxed) % LANES;
    }
    LANE.with(|lane| *lane)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a lane holds is whole lines at any time but within `line::write`, which does not panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
