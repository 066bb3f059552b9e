//! The health of one node: a state and four counters, in one word that all workers change without a lock.
//!
//! The rules are those of lua-resty-healthcheck, which Apache APISIX uses: failures of one kind are counted against the
//! threshold of that kind, a success forgets failures and a failure forgets successes. What a sign means stands in the
//! snapshot's checks; [`probe`] finds signs by asking, [`super::attempts`] in what exchanges meet.

pub mod probe;
pub mod prober;

use crate::snapshot::{CheckKind, HealthySigns, PassiveChecks, UnhealthySigns};
use std::sync::atomic::{AtomicU64, Ordering};

/// What an attempt at a node has shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sign {
    /// A response with this status.
    Status(u16),
    /// A connection, where no more is asked.
    Connected,
    /// No connection, or one that broke before a response.
    Broken,
    /// Nothing in time.
    Timeout,
}

/// As Apache APISIX names them: the two in the middle have counted something that points the other way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Status {
    Healthy,
    MostlyHealthy,
    MostlyUnhealthy,
    Unhealthy,
}

/// Signs counted since the last of the other kind.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counters {
    pub success: u8,
    pub http_failure: u8,
    pub tcp_failure: u8,
    pub timeout_failure: u8,
}

/// The health of one node, shared by workers and generations. Healthy at first.
#[derive(Debug, Default)]
pub struct Health(AtomicU64);

#[derive(Clone, Copy)]
enum Count {
    Success,
    Http,
    Tcp,
    Timeout,
}

impl Health {
    /// Whether requests may go there.
    pub fn is_up(&self) -> bool {
        matches!(self.status(), Status::Healthy | Status::MostlyHealthy)
    }

    pub fn status(&self) -> Status {
        unpack(self.0.load(Ordering::Relaxed)).0
    }

    pub fn counters(&self) -> Counters {
        unpack(self.0.load(Ordering::Relaxed)).1
    }

    /// Counts what an exchange has met.
    pub fn observe_passively(&self, sign: Sign, checks: &PassiveChecks) {
        if checks.kind != CheckKind::Tcp || !matches!(sign, Sign::Status(_)) {
            self.observe(sign, &checks.healthy, &checks.unhealthy);
        }
    }

    /// Counts a sign. Statuses that stand in neither list say nothing.
    pub fn observe(&self, sign: Sign, healthy: &HealthySigns, unhealthy: &UnhealthySigns) {
        let (count, limit) = match sign {
            Sign::Status(status) if healthy.http_statuses.contains(&status) => {
                (Count::Success, healthy.successes)
            }
            Sign::Status(status) if unhealthy.http_statuses.contains(&status) => {
                (Count::Http, unhealthy.http_failures)
            }
            Sign::Status(_) => return,
            Sign::Connected => (Count::Success, healthy.successes),
            Sign::Broken => (Count::Tcp, unhealthy.tcp_failures),
            Sign::Timeout => (Count::Timeout, unhealthy.timeouts),
        };
        if limit == 0 {
            return;
        }
        // An error means that there was nothing to change.
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| {
            let (status, counters) = unpack(word);
            let (status, counters) = counted(status, counters, count, limit)?;
            Some(pack(status, counters))
        });
    }
}

/// The state after one more sign; none where it stays as it is.
fn counted(status: Status, before: Counters, count: Count, limit: u8) -> Option<(Status, Counters)> {
    let is_success = matches!(count, Count::Success);
    let settled = if is_success { Status::Healthy } else { Status::Unhealthy };
    if status == settled {
        return None;
    }
    let mut counters = match is_success {
        true => Counters { success: before.success, ..Counters::default() },
        false => Counters { success: 0, ..before },
    };
    let counter = match count {
        Count::Success => &mut counters.success,
        Count::Http => &mut counters.http_failure,
        Count::Tcp => &mut counters.tcp_failure,
        Count::Timeout => &mut counters.timeout_failure,
    };
    *counter = counter.saturating_add(1);
    let status = match status {
        _ if *counter >= limit => settled,
        Status::Healthy => Status::MostlyHealthy,
        Status::Unhealthy => Status::MostlyUnhealthy,
        between => between,
    };
    Some((status, counters))
}

fn unpack(word: u64) -> (Status, Counters) {
    let [success, http_failure, tcp_failure, timeout_failure, status, ..] = word.to_le_bytes();
    let status = match status {
        0 => Status::Healthy,
        1 => Status::MostlyHealthy,
        2 => Status::MostlyUnhealthy,
        _ => Status::Unhealthy,
    };
    (status, Counters { success, http_failure, tcp_failure, timeout_failure })
}

fn pack(status: Status, counters: Counters) -> u64 {
    let status = match status {
        Status::Healthy => 0,
        Status::MostlyHealthy => 1,
        Status::MostlyUnhealthy => 2,
        Status::Unhealthy => 3,
    };
    let Counters { success, http_failure, tcp_failure, timeout_failure } = counters;
    u64::from_le_bytes([success, http_failure, tcp_failure, timeout_failure, status, 0, 0, 0])
}

impl Status {
    /// The name that the control endpoint shows.
    pub const fn name(self) -> &'static str {
        match self {
            Status::Healthy => "healthy",
            Status::MostlyHealthy => "mostly_healthy",
            Status::MostlyUnhealthy => "mostly_unhealthy",
            Status::Unhealthy => "unhealthy",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(signs: &[Sign]) -> (&'static str, Counters) {
        let healthy = HealthySigns { http_statuses: vec![200], successes: 2 };
        let unhealthy =
            UnhealthySigns { http_statuses: vec![500], http_failures: 3, tcp_failures: 2, timeouts: 0 };
        let health = Health::default();
        signs.iter().for_each(|sign| health.observe(*sign, &healthy, &unhealthy));
        (health.status().name(), health.counters())
    }

    #[test]
    fn a_node_goes_down_at_the_threshold_of_one_kind_and_comes_back_by_successes() {
        use Sign::{Broken, Status, Timeout};
        let none = Counters::default();
        let (ok, bad) = (Status(200), Status(500));
        for (signs, status, counters) in [
            (&[][..], "healthy", none),
            (&[ok, ok], "healthy", none),
            (&[bad], "mostly_healthy", Counters { http_failure: 1, ..none }),
            (&[bad, bad, Broken], "mostly_healthy", Counters { http_failure: 2, tcp_failure: 1, ..none }),
            (&[bad, ok], "mostly_healthy", Counters { success: 1, ..none }),
            (&[bad, ok, ok], "healthy", Counters { success: 2, ..none }),
            (&[bad, bad, ok, bad], "mostly_healthy", Counters { http_failure: 1, ..none }),
            (&[Broken, Broken], "unhealthy", Counters { tcp_failure: 2, ..none }),
            (&[Broken, Broken, bad], "unhealthy", Counters { tcp_failure: 2, ..none }),
            (&[Broken, Broken, ok], "mostly_unhealthy", Counters { success: 1, ..none }),
            (&[Broken, Broken, ok, bad], "mostly_unhealthy", Counters { http_failure: 1, ..none }),
            (&[Broken, Broken, ok, ok], "healthy", Counters { success: 2, ..none }),
            (&[Timeout, Status(404), Timeout], "healthy", none),
        ] {
            assert_eq!(after(signs), (status, counters), "{signs:?}");
        }
    }

    #[test]
    fn a_passive_check_of_connections_takes_no_notice_of_statuses() {
        let signs = |kind| PassiveChecks {
            kind,
            healthy: HealthySigns { http_statuses: vec![], successes: 1 },
            unhealthy: UnhealthySigns {
                http_statuses: vec![500],
                http_failures: 1,
                tcp_failures: 1,
                timeouts: 1,
            },
        };
        for (kind, is_up) in [(CheckKind::Tcp, true), (CheckKind::Http, false)] {
            let health = Health::default();
            health.observe_passively(Sign::Status(500), &signs(kind));
            assert_eq!(health.is_up(), is_up, "{kind:?}");
        }
    }
}
