//! What is known of upstreams and nodes beyond one snapshot: positions, requests under way, latencies, health.
//!
//! Found by the id of the upstream and the address of the node, so that a node which is in the old generation and in the
//! new one keeps its state. It ends with the last generation that has the node. The lock is taken while a snapshot is
//! built; on the request path there are atomics only.

use super::health::Health;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

/// How fast an old latency loses its weight against a new one, as in Apache APISIX.
const DECAY: Duration = Duration::from_secs(10);

/// The state of all upstreams of one engine.
#[derive(Default)]
pub struct UpstreamStates {
    by_id: Mutex<HashMap<Box<str>, Weak<UpstreamState>>>,
}

/// The state of one upstream.
#[derive(Default)]
pub struct UpstreamState {
    position: AtomicUsize,
    nodes: Mutex<HashMap<Box<str>, Weak<NodeState>>>,
}

/// The state of one node of one upstream.
pub struct NodeState {
    pub health: Health,
    /// Whether a probe is under way.
    pub probing: AtomicBool,
    under_way: AtomicU32,
    made: Instant,
    /// Microseconds from `made` to the next probe; 0: none is planned yet.
    probe_at: AtomicU64,
    /// Microseconds of latency, decaying; 0: nothing was measured yet.
    latency: AtomicU64,
    /// Microseconds from `made` to the last change of the latency.
    latency_at: AtomicU64,
}

impl UpstreamStates {
    /// The state of the upstream `id`, made where no generation has it.
    pub fn of(&self, id: &str) -> Arc<UpstreamState> {
        let mut by_id = self.by_id.lock().unwrap_or_else(PoisonError::into_inner);
        shared(&mut by_id, id, UpstreamState::default)
    }
}

impl UpstreamState {
    /// Counts choices of a node: a number that nobody else has got.
    pub fn next_position(&self) -> usize {
        self.position.fetch_add(1, Ordering::Relaxed)
    }

    /// The state of the node at `address`, made where no generation has it.
    pub fn node(&self, address: &str) -> Arc<NodeState> {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        shared(&mut nodes, address, NodeState::new)
    }
}

/// What `key` leads to, or what `make` makes. Entries that have ended are cleared out when the map would grow.
pub fn shared<T>(map: &mut HashMap<Box<str>, Weak<T>>, key: &str, make: impl FnOnce() -> T) -> Arc<T> {
    if let Some(found) = map.get(key).and_then(Weak::upgrade) {
        return found;
    }
    if map.len() == map.capacity() {
        map.retain(|_, value| value.strong_count() > 0);
    }
    let made = Arc::new(make());
    map.insert(key.into(), Arc::downgrade(&made));
    made
}

impl NodeState {
    fn new() -> Self {
        Self {
            health: Health::default(),
            probing: AtomicBool::new(false),
            under_way: AtomicU32::new(0),
            made: Instant::now(),
            probe_at: AtomicU64::new(0),
            latency: AtomicU64::new(0),
            latency_at: AtomicU64::new(0),
        }
    }

    pub fn under_way(&self) -> u32 {
        self.under_way.load(Ordering::Relaxed)
    }

    pub fn begin(&self) {
        self.under_way.fetch_add(1, Ordering::Relaxed);
    }

    pub fn end(&self) {
        self.under_way.fetch_sub(1, Ordering::Relaxed);
    }

    /// The latency in microseconds as it counts now, 0 where nothing was measured.
    pub fn latency(&self) -> f64 {
        self.decayed(self.now())
    }

    /// Adds a latency: one that is worse than what is known counts at once, better ones little by little. Where two
    /// workers add at the same time one of the two may be lost, which evens out.
    pub fn add_latency(&self, latency: Duration) {
        let now = self.now();
        let new = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX).max(1);
        let known = self.latency.load(Ordering::Relaxed);
        let weight = self.weight(now);
        let mixed = (known as f64).mul_add(weight, new as f64 * (1.0 - weight));
        let latency = if known == 0 { new } else { new.max(mixed as u64) };
        self.latency.store(latency, Ordering::Relaxed);
        self.latency_at.store(now, Ordering::Relaxed);
    }

    fn decayed(&self, now: u64) -> f64 {
        self.latency.load(Ordering::Relaxed) as f64 * self.weight(now)
    }

    /// How much of the latency known counts at `now`: all of it at first, then ever less.
    fn weight(&self, now: u64) -> f64 {
        let age = now.saturating_sub(self.latency_at.load(Ordering::Relaxed));
        (-(age as f64) / DECAY.as_micros() as f64).exp()
    }

    fn now(&self) -> u64 {
        u64::try_from(self.made.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// When the next probe is to be sent; `first` says how long from now where none is planned.
    pub fn probe_due(&self, first: impl FnOnce() -> Duration) -> Instant {
        if self.probe_at.load(Ordering::Relaxed) == 0 {
            self.plan_probe(first());
        }
        self.made + Duration::from_micros(self.probe_at.load(Ordering::Relaxed))
    }

    /// Plans the next probe `delay` from now.
    pub fn plan_probe(&self, delay: Duration) {
        let at = self.now() + u64::try_from(delay.as_micros()).unwrap_or(u64::MAX / 2);
        self.probe_at.store(at.max(1), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_lives_as_long_as_somebody_has_it() {
        let states = UpstreamStates::default();
        let first = states.of("up");
        let node = first.node("127.0.0.1:1");
        node.begin();
        assert!(Arc::ptr_eq(&states.of("up").node("127.0.0.1:1"), &node));
        assert_eq!(states.of("other").node("127.0.0.1:1").under_way(), 0);
        drop(node);
        assert_eq!(first.node("127.0.0.1:1").under_way(), 0);
    }

    #[test]
    fn a_worse_latency_counts_at_once_and_a_better_one_little() {
        let state = NodeState::new();
        assert!(state.latency() == 0.0);
        for (milliseconds, at_least) in [(10, 9_900.0), (100, 99_000.0), (1, 90_000.0)] {
            state.add_latency(Duration::from_millis(milliseconds));
            assert!(state.latency() >= at_least, "{milliseconds}: {}", state.latency());
        }
    }
}
