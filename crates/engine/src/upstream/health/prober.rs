//! Sends the probes of one upstream when they are due, no more at once than its checks allow.
//!
//! The times are scattered, so that the probes of many nodes and many gateways do not meet. They stand with the nodes'
//! state, so that neither a new snapshot nor a new address of a name makes a probe come early or never.

use super::{Sign, probe};
use crate::snapshot::ActiveChecks;
use crate::upstream::balance::mix;
use crate::upstream::node_state::NodeState;
use crate::upstream::{Member, Upstream};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How often the nodes are looked through at least, since a name may have new addresses.
const LOOK: Duration = Duration::from_secs(1);

/// Probes the upstream that comes through `upstreams`, until the other end is gone or it has no active checks.
pub async fn run(mut upstreams: watch::Receiver<Arc<Upstream>>) {
    let mut under_way = JoinSet::new();
    loop {
        let upstream = upstreams.borrow_and_update().clone();
        let Some(checks) = upstream.active_checks() else {
            return;
        };
        let now = Instant::now();
        let mut next = now + LOOK;
        for member in &upstream.roster().members {
            let due = member.state.probe_due(|| interval(&member.state, checks).mul_f64(lot() / 2.0));
            if due > now {
                next = next.min(due);
            } else if under_way.len() < checks.concurrency
                && !member.state.probing.swap(true, Ordering::Relaxed)
            {
                under_way.spawn(check(upstream.clone(), member.clone()));
            }
        }
        tokio::select! {
            changed = upstreams.changed() => if changed.is_err() {
                return;
            },
            Some(_) = under_way.join_next() => {}
            () = tokio::time::sleep_until(next.into()) => {}
        }
    }
}

/// One probe, counted, and the next one planned. The probe under way is marked until the end, even where it is cut off.
async fn check(upstream: Arc<Upstream>, member: Arc<Member>) {
    struct UnderWay(Arc<NodeState>);
    impl Drop for UnderWay {
        fn drop(&mut self) {
            self.0.probing.store(false, Ordering::Relaxed);
        }
    }
    let under_way = UnderWay(member.state.clone());
    let Some(checks) = upstream.active_checks() else {
        return;
    };
    let limit = Duration::from_millis(checks.timeout_ms);
    let sign = match tokio::time::timeout(limit, probe::send(checks, &member)).await {
        Ok(sign) => sign,
        Err(_) => Sign::Timeout,
    };
    let state = &under_way.0;
    state.health.observe(sign, &checks.healthy, &checks.unhealthy);
    state.plan_probe(interval(state, checks).mul_f64(0.9 + lot() / 5.0));
}

fn interval(state: &NodeState, checks: &ActiveChecks) -> Duration {
    let milliseconds =
        if state.health.is_up() { checks.healthy_interval_ms } else { checks.unhealthy_interval_ms };
    Duration::from_millis(milliseconds.max(1))
}

/// A number from 0 to 1, drawn by lot.
fn lot() -> f64 {
    // Each state has keys of its own.
    let drawn = mix(RandomState::new().hash_one(0));
    (drawn >> 11) as f64 / (1_u64 << 53) as f64
}
