//! Signatures of tokens that a worker found right lately. A caller sends the same token with each request until it
//! expires, and to verify a signature of a public key costs more than all else of the request.
//!
//! That a key made a signature stays true whatever becomes of the key, so nothing here goes out of date: who the key
//! belongs to and what the claims say is looked at for each request. Wrong signatures are not remembered.

use super::token::{Token, TokenKey};
use rustc_hash::FxHashSet;
use std::cell::RefCell;
use std::mem;

/// How many of each half; some 300 kB in all.
const MOST: usize = 4096;

/// One of a worker.
#[derive(Default)]
pub struct Signatures(RefCell<Halves>);

/// When the young half is full, what is in the old one and was not asked for since is forgotten.
#[derive(Default)]
struct Halves {
    young: FxHashSet<[u8; 32]>,
    old: FxHashSet<[u8; 32]>,
}

impl Signatures {
    /// Whether `key` made the signature of `token`.
    pub fn verified(&self, key: &TokenKey, token: &Token<'_>) -> bool {
        let Some(digest) = key.digest(token) else {
            return key.has_signed(token);
        };
        if self.0.borrow_mut().contains(digest) {
            return true;
        }
        let is_right = key.has_signed(token);
        if is_right {
            self.0.borrow_mut().put(digest);
        }
        is_right
    }
}

impl Halves {
    fn contains(&mut self, digest: [u8; 32]) -> bool {
        if self.young.contains(&digest) {
            return true;
        }
        let is_old = self.old.contains(&digest);
        if is_old {
            self.put(digest);
        }
        is_old
    }

    fn put(&mut self, digest: [u8; 32]) {
        if self.young.len() >= MOST {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(digest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(number: usize) -> [u8; 32] {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&number.to_be_bytes());
        digest
    }

    #[test]
    fn what_is_asked_for_stays_and_the_rest_is_forgotten() {
        let mut halves = Halves::default();
        for number in 0..3 * MOST {
            assert!(!halves.contains(digest(number)));
            halves.put(digest(number));
            assert!(halves.contains(digest(0)), "{number}");
        }
        assert!(!halves.contains(digest(1)));
        assert!(halves.young.len() <= MOST && halves.old.len() <= MOST);
    }
}
