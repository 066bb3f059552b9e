//! Fixed-window counters, shared by all workers and kept over swaps of the snapshot.
//!
//! A window begins with the first hit of its key and lasts as long as the caller says, so a changed limit or window
//! holds from the next hit on. The keys lie in shards, each behind its own lock, which only workers take, and only for
//! a look-up. Memory is bounded: windows that have ended are dropped a few at a time when new keys come, and where a
//! shard is full the window that ends soonest makes room, which forgives the least.

use hashbrown::HashTable;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const SHARDS: usize = 64;
/// Keys that are remembered at most, unless told otherwise.
const CAPACITY: usize = 1 << 20;
/// Ended windows that one new key drops at most, so that no request pays for many.
const SWEPT_AT_ONCE: usize = 4;

/// A century: windows are cut to it, so that their end is a time that the clock can tell.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// What is counted: a scope, which is a plugin at its place or in its group, and the value within it.
#[derive(Clone, Copy, Debug)]
pub struct CounterKey<'a> {
    /// Unique to the plugin and its place, for example `limit-count route:orders`.
    pub scope: &'a str,
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
    shards: Vec<Mutex<Shard>>,
    capacity_of_shard: usize,
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
    scope: Box<str>,
    value: Box<str>,
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
        Self {
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            capacity_of_shard: keys.div_ceil(SHARDS).max(1),
        }
    }

    /// Takes `cost` from what `limit` allows `key` in each `window`.
    pub fn hit(&self, key: CounterKey<'_>, cost: u64, limit: u64, window: Duration, now: Instant) -> Hit {
        let window = window.min(LONGEST);
        let hash = self.hasher.hash_one((key.scope, key.value));
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
    fn is_of(&self, key: CounterKey<'_>) -> bool {
        *self.value == *key.value && *self.scope == *key.scope
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
        Hit { allowed, remaining, reset_after: self.end().saturating_duration_since(now) }
    }
}

impl Shard {
    fn insert(&mut self, hash: u64, key: CounterKey<'_>, length: Duration, now: Instant) -> &mut Window {
        self.serial += 1;
        let window = Window {
            hash,
            serial: self.serial,
            scope: key.scope.into(),
            value: key.value.into(),
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
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn key<'a>(scope: &'a str, value: &'a str) -> CounterKey<'a> {
        CounterKey { scope, value }
    }

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn allows_as_many_hits_as_the_limit_and_then_none_until_the_window_ends() {
        let (counters, start) = (Counters::default(), Instant::now());
        let hit = |at| counters.hit(key("a", "x"), 1, 2, MINUTE, at);
        assert_eq!(hit(start), Hit { allowed: true, remaining: 1, reset_after: MINUTE });
        let second = Hit { allowed: true, remaining: 0, reset_after: Duration::from_secs(50) };
        assert_eq!(hit(after(start, 10)), second);
        let third = Hit { allowed: false, remaining: 0, reset_after: Duration::from_secs(1) };
        assert_eq!(hit(after(start, 59)), third);
        assert_eq!(hit(after(start, 60)), Hit { allowed: true, remaining: 1, reset_after: MINUTE });
    }

    #[test]
    fn a_refused_hit_costs_nothing() {
        let (counters, now) = (Counters::default(), Instant::now());
        assert!(counters.hit(key("a", "x"), 3, 5, MINUTE, now).allowed);
        let refused = counters.hit(key("a", "x"), 3, 5, MINUTE, now);
        assert_eq!((refused.allowed, refused.remaining), (false, 2));
        assert!(counters.hit(key("a", "x"), 2, 5, MINUTE, now).allowed);
    }

    #[test]
    fn scopes_and_values_are_counted_apart() {
        let (counters, now) = (Counters::default(), Instant::now());
        for one in [key("a", "x"), key("a", "y"), key("b", "x"), key("ax", "")] {
            assert!(counters.hit(one, 1, 1, MINUTE, now).allowed);
            assert!(!counters.hit(one, 1, 1, MINUTE, now).allowed);
        }
        assert_eq!(counters.len(), 4);
    }

    #[test]
    fn a_changed_limit_or_window_holds_from_the_next_hit_on() {
        let (counters, now) = (Counters::default(), Instant::now());
        counters.hit(key("a", "x"), 1, 1, MINUTE * 60, now);
        assert!(!counters.hit(key("a", "x"), 1, 1, MINUTE * 60, now).allowed);
        assert_eq!(counters.hit(key("a", "x"), 1, 5, MINUTE * 60, now).remaining, 3);
        assert!(!counters.hit(key("a", "x"), 1, 1, MINUTE, now).allowed);
        assert!(counters.hit(key("a", "x"), 1, 1, MINUTE, after(now, 60)).allowed);
    }

    #[test]
    fn ended_windows_are_dropped_as_new_keys_come() {
        let (counters, start) = (Counters::default(), Instant::now());
        for index in 0..10_000 {
            counters.hit(key("a", &index.to_string()), 1, 1, MINUTE, start);
        }
        for index in 10_000..20_000 {
            counters.hit(key("a", &index.to_string()), 1, 1, MINUTE, after(start, 61));
        }
        assert!(counters.len() < 11_000, "{} keys are remembered", counters.len());
    }

    #[test]
    fn a_full_table_forgets_the_window_that_ends_soonest() {
        let (counters, start) = (Counters::with_capacity(1), Instant::now());
        let day = MINUTE * 60 * 24;
        counters.hit(key("day", "x"), 1, 1, day, start);
        for index in 0..10_000 {
            counters.hit(key("minute", &index.to_string()), 1, 1, MINUTE, start);
        }
        assert!(counters.len() <= SHARDS);

        let counters = Counters { capacity_of_shard: 2, ..Counters::default() };
        counters.hit(key("day", "x"), 1, 1, day, start);
        for index in 0..10_000 {
            counters.hit(key("minute", &index.to_string()), 1, 1, MINUTE, start);
        }
        assert!(!counters.hit(key("day", "x"), 1, 1, day, start).allowed);
    }

    #[test]
    fn a_renewed_window_outlives_the_end_that_it_first_had() {
        let (counters, start) = (Counters::with_capacity(SHARDS * 1000), Instant::now());
        counters.hit(key("a", "x"), 1, 1, MINUTE, start);
        assert!(counters.hit(key("a", "x"), 1, 1, MINUTE, after(start, 61)).allowed);
        for index in 0..10_000 {
            counters.hit(key("other", &index.to_string()), 1, 1, MINUTE, after(start, 62));
        }
        assert!(!counters.hit(key("a", "x"), 1, 1, MINUTE, after(start, 63)).allowed);
    }

    #[test]
    fn a_window_longer_than_time_itself_does_no_harm() {
        let (counters, now) = (Counters::default(), Instant::now());
        assert!(counters.hit(key("a", "x"), 1, 1, Duration::MAX, now).allowed);
        assert!(!counters.hit(key("a", "x"), 1, 1, Duration::MAX, now).allowed);
    }

    #[test]
    fn workers_together_are_allowed_no_more_than_the_limit() {
        let (counters, now) = (Counters::default(), Instant::now());
        let allowed: usize = std::thread::scope(|scope| {
            let worker =
                || (0..1000).filter(|_| counters.hit(key("a", "x"), 1, 1500, MINUTE, now).allowed).count();
            let workers: Vec<_> = (0..4).map(|_| scope.spawn(worker)).collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).sum()
        });
        assert_eq!(allowed, 1500);
    }
}
