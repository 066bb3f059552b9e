//! When credentials were last used, to the minute. A credential has its time at hand, so that noting it takes no lock;
//! here it is only known under which name, so that it outlives the generations that the credential is part of.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{SHA256, digest};

/// How many names are kept before it is asked for the first time which of them nobody has any more.
const FIRST_SWEEP: usize = 1024;

/// The last use of one credential, in minutes since 1970; 0: never.
#[derive(Clone, Default)]
pub struct LastUse(Arc<AtomicU32>);

/// The last uses of all credentials. Of names only as much is kept as tells them apart.
#[derive(Default)]
pub struct LastUses(Mutex<Known>);

#[derive(Default)]
struct Known {
    by_name: HashMap<[u8; 16], Weak<AtomicU32>>,
    /// The number of names at which those are forgotten that nobody has any more.
    sweep_at: usize,
}

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

    /// In seconds since 1970; none where it was never used.
    pub fn seconds(&self) -> Option<u64> {
        let minutes = self.0.load(Ordering::Relaxed);
        (minutes > 0).then(|| u64::from(minutes) * 60)
    }
}

impl LastUses {
    /// That of the credential `id` of `username`, which whoever had it before shares.
    pub fn of(&self, username: &str, id: &str) -> LastUse {
        let name = name_of(username, id);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.by_name.get(&name).and_then(Weak::upgrade) {
            return LastUse(known);
        }
        if known.by_name.len() >= known.sweep_at.max(FIRST_SWEEP) {
            known.by_name.retain(|_, known| known.strong_count() > 0);
            known.sweep_at = known.by_name.len() * 2;
        }
        let new = LastUse::default();
        known.by_name.insert(name, Arc::downgrade(&new.0));
        new
    }
}

fn name_of(username: &str, id: &str) -> [u8; 16] {
    // No username has a slash.
    let digest = digest(&SHA256, format!("{username}/{id}").as_bytes());
    digest.as_ref().first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_is_known_to_whoever_has_the_credential_after() {
        let uses = LastUses::default();
        let before = uses.of("alice", "one");
        assert_eq!(before.seconds(), None);
        before.note();
        let after = uses.of("alice", "one");
        assert_eq!(after.seconds(), before.seconds());
        assert!(after.seconds().is_some_and(|seconds| seconds > 1_700_000_000 && seconds % 60 == 0));
        assert_eq!(uses.of("alice", "two").seconds(), None);
        assert_eq!(uses.of("bob", "one").seconds(), None);
    }

    #[test]
    fn what_nobody_has_any_more_is_forgotten() {
        let uses = LastUses::default();
        uses.of("alice", "one").note();
        assert_eq!(uses.of("alice", "one").seconds(), None);
        for nth in 0..FIRST_SWEEP * 4 {
            uses.of("alice", &nth.to_string());
        }
        assert!(uses.0.lock().is_ok_and(|known| known.by_name.len() <= FIRST_SWEEP));
    }
}
