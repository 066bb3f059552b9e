//! Fixed-window counters, shared by all workers and kept over swaps of the snapshot.
//!
//! A window begins with the first hit of its key and lasts as long as the caller says, so a changed limit or window
//! holds from the next hit on. The keys lie in shards, each behind its own lock, which only workers take, and only for
//! a look-up. Memory is bounded, about 200 MB when full: keys are limited in number, scopes are shared, and of a long
//! value only a digest is kept. Windows that have ended are dropped a few at a time when new keys come, and where
//! a shard is full the window that ends soonest makes room, which forgives the least.

use aws_lc_rs::hmac;
use hashbrown::HashTable;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const SHARDS: usize = 64;
/// Keys that are remembered at most, unless told otherwise: as many as fill the shards' tables (at seven eighths of
/// a power of two) without making them grow once more.
const CAPACITY: usize = (1 << 20) / 8 * 7;
/// Bytes of a value that are kept as they are. Addresses, names and ids are shorter; clients can make headers longer.
const LONGEST_VALUE: usize = 64;
/// Bytes of a long value's digest that are kept.
const DIGEST: usize = 16;
/// Ended windows that one new key drops at most, so that no request pays for many.
const SWEPT_AT_ONCE: usize = 4;

/// A century: windows are cut to it, so that their end is a time that the clock can tell.
pub const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// What is counted: a scope, which is a plugin at its place or in its group, and the value within it.
#[derive(Clone, Copy, Debug)]
pub struct CounterKey<'a> {
    /// Unique to the plugin and its place, for example `limit-count route:orders`.
    pub scope: &'a Arc<str>,
    /// Any bytes that the client chose, of any length.
    pub value: &'a str,
}

/// What became of a hit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Hit {
    /// Whether the hit was within the limit. One that was not has cost nothing.
    pub allowed: bool,
    /// What is left of the limit in this window.
    pub remaining: u64,
    /// Until the window ends.
    pub reset_after: Duration,
}

/// All counters of an engine.
pub struct Counters {
    hasher: RandomState,
    /// Makes digests of long values. A client that does not know the key cannot find two values with one digest, even
    /// though only half of it is kept. HMAC comes from the TLS library, so it needs no further crate.
    digester: hmac::Key,
    shards: Vec<Mutex<Shard>>,
    capacity_of_shard: usize,
}

/// A key as it is kept.
#[derive(Clone, Copy, Hash)]
struct Key<'a> {
    scope: &'a Arc<str>,
    value: &'a [u8],
    /// Keeps a short value apart from the digest of a long one.
    is_digest: bool,
}

#[derive(Default)]
struct Shard {
    windows: HashTable<Window>,
    /// When each window is thought to end, soonest first. A window that was renewed is put back when its turn comes.
    ends: BinaryHeap<Reverse<End>>,
    serial: u64,
}

struct Window {
    hash: u64,
    /// Tells a window from another with the same hash.
    serial: u64,
    scope: Arc<str>,
    value: Box<[u8]>,
    is_digest: bool,
    started: Instant,
    length: Duration,
    used: u64,
}

#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
struct End {
    at: Instant,
    hash: u64,
    serial: u64,
}

impl Default for Counters {
    fn default() -> Self {
        Self::with_capacity(CAPACITY)
    }
}

impl Counters {
    /// Counters that remember about `keys` keys at most.
    pub fn with_capacity(keys: usize) -> Self {
        let hasher = RandomState::new();
        // The standard library's hasher has 128 secret bits of the system's randomness, and having them cannot fail.
        let secret = [hasher.hash_one(0_u8), hasher.hash_one(1_u8)].map(u64::to_ne_bytes);
        Self {
            hasher,
            digester: hmac::Key::new(hmac::HMAC_SHA256, secret.as_flattened()),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            capacity_of_shard: keys.div_ceil(SHARDS).max(1),
        }
    }

    /// Takes `cost` from what `limit` allows `key` in each `window`.
    pub fn hit(&self, key: CounterKey<'_>, cost: u64, limit: u64, window: Duration, now: Instant) -> Hit {
        let window = window.min(LONGEST);
        let tag;
        let (value, is_digest) = if key.value.len() <= LONGEST_VALUE {
            (key.value.as_bytes(), false)
        } else {
            tag = hmac::sign(&self.digester, key.value.as_bytes());
            (tag.as_ref().get(..DIGEST).unwrap_or_default(), true)
        };
        let key = Key { scope: key.scope, value, is_digest };
        let hash = self.hasher.hash_one(key);
        // The table uses the lowest and the highest bits, so the shard is chosen by others.
        let Some(shard) = self.shards.get((hash >> 32) as usize % SHARDS) else {
            return Hit { allowed: true, remaining: limit, reset_after: window };
        };
        // A count is whole between any two statements, so a panic elsewhere cannot have broken it.
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = shard.windows.find_mut(hash, |window| window.is_of(key)) {
            return known.hit(cost, limit, window, now);
        }
        shard.sweep(now, self.capacity_of_shard);
        shard.insert(hash, key, window, now).hit(cost, limit, window, now)
    }

    /// Keys that are remembered.
    pub fn len(&self) -> usize {
        let length =
            |shard: &Mutex<Shard>| shard.lock().unwrap_or_else(PoisonError::into_inner).windows.len();
        self.shards.iter().map(length).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Window {
    fn is_of(&self, key: Key<'_>) -> bool {
        *self.value == *key.value && self.is_digest == key.is_digest && self.scope == *key.scope
    }

    fn end(&self) -> Instant {
        self.started + self.length
    }

    fn hit(&mut self, cost: u64, limit: u64, length: Duration, now: Instant) -> Hit {
        self.length = length;
        if now >= self.end() {
            self.started = now;
            self.used = 0;
        }
        let left = limit.saturating_sub(self.used);
        let allowed = cost <= left;
        if allowed {
            self.used = self.used.saturating_add(cost);
        }
        let remaining = if allowed { left - cost } else { left };
        // A worker whose clock was read before the window began is told no more than the window's length.
        let reset_after = self.end().saturating_duration_since(now).min(length);
        Hit { allowed, remaining, reset_after }
    }
}

impl Shard {
    fn insert(&mut self, hash: u64, key: Key<'_>, length: Duration, now: Instant) -> &mut Window {
        self.serial += 1;
        let window = Window {
            hash,
            serial: self.serial,
            scope: key.scope.clone(),
            value: key.value.into(),
            is_digest: key.is_digest,
            started: now,
            length,
            used: 0,
        };
        self.ends.push(Reverse(End { at: window.end(), hash, serial: self.serial }));
        self.windows.insert_unique(hash, window, |window| window.hash).into_mut()
    }

    /// Drops a few windows that have ended, and where there is still no room for one more, the next to end.
    fn sweep(&mut self, now: Instant, capacity: usize) {
        for _ in 0..SWEPT_AT_ONCE {
            if self.ends.peek().is_none_or(|Reverse(end)| end.at > now) {
                break;
            }
            self.take_soonest(now);
        }
        while self.windows.len() >= capacity && self.take_soonest(now) {}
    }

    /// Drops the window that is thought to end soonest, or puts it back where it has been renewed since. Whether there
    /// was one.
    fn take_soonest(&mut self, now: Instant) -> bool {
        let Some(Reverse(thought)) = self.ends.pop() else {
            return false;
        };
        let found = self.windows.find_entry(thought.hash, |window| window.serial == thought.serial);
        if let Ok(found) = found {
            let end = found.get().end();
            if end <= thought.at || end <= now {
                found.remove();
            } else {
                self.ends.push(Reverse(End { at: end, ..thought }));
            }
        }
        true
    }
}

#[cfg(test)]
mod tests;
