//! When a credential was last used, to the minute. It stands in the credential itself, so that noting it takes no lock, and
//! what takes a credential's place inherits it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// The last use, in minutes since 1970; 0: never.
#[derive(Default)]
pub struct LastUse(AtomicU32);

impl LastUse {
    /// Notes that the credential is used now.
    pub fn note(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs() / 60);
        let now = u32::try_from(now).unwrap_or(u32::MAX);
        // Workers share it, so it is written once a minute only.
        if self.0.load(Ordering::Relaxed) != now {
            self.0.store(now, Ordering::Relaxed);
        }
    }

    /// Takes over the last use of what was in this place before, unless there was one since.
    pub fn inherit(&self, before: &Self) {
        self.0.fetch_max(before.0.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// In seconds since 1970; none where it was never used.
    pub fn seconds(&self) -> Option<u64> {
        let minutes = self.0.load(Ordering::Relaxed);
        (minutes > 0).then(|| u64::from(minutes) * 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_is_known_to_the_minute_and_inherited() {
        let before = LastUse::default();
        assert_eq!(before.seconds(), None);
        before.note();
        assert!(before.seconds().is_some_and(|seconds| seconds > 1_700_000_000 && seconds % 60 == 0));
        let after = LastUse::default();
        after.inherit(&before);
        assert_eq!(after.seconds(), before.seconds());
        after.inherit(&LastUse::default());
        assert_eq!(after.seconds(), before.seconds());
    }
}
