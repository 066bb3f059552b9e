//! How far a request has got on its way out, and how long it may stay there.

use crate::error::Kind;
use crate::snapshot::Timeouts;
use std::time::{Duration, Instant};

/// A client's body ends itself when the client is too slow (`http::received`), long before this.
const CLIENT_PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// Who has to do something next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stage {
    /// The client has to give the next piece.
    AwaitsClient,
    /// The upstream has to take the last piece.
    AwaitsUpstream,
    /// All was given; the upstream has to answer.
    Sent,
}

/// The stage, and since when nothing has moved.
pub struct Pace {
    stage: Stage,
    pub since: Instant,
}

impl Pace {
    pub fn begin() -> Self {
        Self { stage: Stage::AwaitsUpstream, since: Instant::now() }
    }

    /// Another stage, or the upstream has taken something.
    pub fn set(&mut self, stage: Stage) {
        if self.stage != stage || stage == Stage::AwaitsUpstream {
            self.since = Instant::now();
        }
        self.stage = stage;
    }

    pub fn is_sent(&self) -> bool {
        self.stage == Stage::Sent
    }

    /// When the present stage has lasted too long, and what is then wrong.
    pub fn deadline(&self, timeouts: &Timeouts) -> (Instant, Kind) {
        let (patience, kind) = match self.stage {
            Stage::AwaitsClient => (CLIENT_PATIENCE, Kind::BodyTimeout),
            Stage::AwaitsUpstream => (Duration::from_millis(timeouts.send_ms), Kind::SendTimeout),
            Stage::Sent => (Duration::from_millis(timeouts.read_ms), Kind::ReadTimeout),
        };
        (self.since + patience, kind)
    }
}
