//! Many things that are fetched, each found by a digest of what it is fetched for, such as a caller's token.
//!
//! There are slots of which a digest has one; who comes later takes the slot. So memory is bounded, and a flood of made-up
//! tokens can at worst have others fetched again.

use super::{Fetched, Times};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// SHA-256, or a keyed digest where what is digested could be guessed.
pub type Digest = [u8; 32];

/// About half a megabyte when all are taken, beside what is kept in them.
const SLOTS: usize = 1 << 12;

pub struct Fetches<T> {
    server: Arc<str>,
    times: Times,
    /// Made when the first is wanted.
    slots: OnceLock<Box<[Slot<T>]>>,
}

type Slot<T> = Mutex<Option<(Digest, Arc<Fetched<T>>)>>;

impl<T> Fetches<T> {
    /// Things of `server`, which faults name.
    pub fn new(server: &Arc<str>, times: Times) -> Self {
        Self { server: server.clone(), times, slots: OnceLock::new() }
    }

    /// That of `digest`, which may not have been fetched yet.
    pub fn of(&self, digest: &Digest) -> Arc<Fetched<T>> {
        let make = || Arc::new(Fetched::new(&self.server, self.times));
        let slots = self.slots.get_or_init(|| (0..SLOTS).map(|_| Mutex::default()).collect());
        let [first, second, ..] = digest;
        let Some(slot) = slots.get(usize::from(u16::from_be_bytes([*first, *second])) % SLOTS) else {
            return make();
        };
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        match &*slot {
            Some((known, fetched)) if known == digest => fetched.clone(),
            _ => slot.insert((*digest, make())).1.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn each_digest_has_its_own_and_a_later_one_takes_the_slot() {
        let times = Times { stale: Duration::ZERO, pause: Duration::ZERO };
        let fetches = Fetches::<u8>::new(&"idp".into(), times);
        let digest = |slot: u8, rest: u8| {
            let mut digest = [rest; 32];
            (digest[0], digest[1]) = (0, slot);
            digest
        };
        let one = fetches.of(&digest(1, 1));
        assert!(Arc::ptr_eq(&one, &fetches.of(&digest(1, 1))));
        assert!(!Arc::ptr_eq(&one, &fetches.of(&digest(2, 1))));
        assert!(!Arc::ptr_eq(&one, &fetches.of(&digest(1, 2))));
        assert!(!Arc::ptr_eq(&one, &fetches.of(&digest(1, 1))));
    }
}
