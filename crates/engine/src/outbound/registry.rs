//! What outlives a swap, by what it is of: found again by plugins of the next generation, and gone with the last that has
//! it. Locked while plugins are built, not while requests run.

use crate::upstream::shared;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

pub struct Registry<T>(Mutex<HashMap<Box<str>, Weak<T>>>);

impl<T> Default for Registry<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Registry<T> {
    /// What has the key, or what `make` makes. The key has all that the thing depends on; secrets only as digests.
    pub fn of(&self, key: &str, make: impl FnOnce() -> T) -> Arc<T> {
        shared(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner), key, make)
    }
}
