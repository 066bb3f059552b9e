//! A hash table that is cheap to copy where little of the copy is then changed, as a generation is made of the last.
//!
//! Small tables are copied whole. Larger ones are split into shards of about a hundred entries which copies share, and a
//! change copies the shard that it falls into. Values carry their own keys. Keys come from whoever configures the
//! gateway; clients only look up, so the hash need not withstand an adversary.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use rustc_hash::FxBuildHasher;
use std::hash::BuildHasher;
use std::sync::Arc;

/// Entries of a shard, on average, before there are more shards.
const SHARD: usize = 128;
/// How many times more shards there are then.
const GROWTH: usize = 4;

/// A value that knows what it is found by.
pub trait Keyed {
    fn key(&self) -> &[u8];
}

impl<K: Keyed> Keyed for Arc<K> {
    fn key(&self) -> &[u8] {
        K::key(self)
    }
}

/// A value that is found by a text beside it.
#[derive(Clone)]
pub struct Text<V> {
    pub text: Box<[u8]>,
    pub value: V,
}

impl<V> Keyed for Text<V> {
    fn key(&self) -> &[u8] {
        &self.text
    }
}

/// The table.
#[derive(Clone)]
pub struct Table<T> {
    length: usize,
    shards: Shards<T>,
}

#[derive(Clone)]
enum Shards<T> {
    One(HashTable<T>),
    /// A power of two of them.
    Many(Box<[Arc<HashTable<T>>]>),
}

fn hash(key: &[u8]) -> u64 {
    FxBuildHasher.hash_one(key)
}

/// Which of `count` shards; [`HashTable`] uses the bits at both ends.
fn shard_of(hash: u64, count: usize) -> usize {
    (hash >> 24) as usize & (count - 1)
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { length: 0, shards: Shards::One(HashTable::new()) }
    }
}

impl<T: Keyed> Table<T> {
    pub fn get(&self, key: impl AsRef<[u8]>) -> Option<&T> {
        let key = key.as_ref();
        let hash = hash(key);
        let shard = match &self.shards {
            Shards::One(shard) => shard,
            Shards::Many(shards) => shards.get(shard_of(hash, shards.len()))?,
        };
        shard.find(hash, |value| value.key() == key)
    }

    pub fn contains(&self, key: impl AsRef<[u8]>) -> bool {
        self.get(key).is_some()
    }
}

impl<T> Table<T> {
    pub fn len(&self) -> usize {
        self.length
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// All values, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        let (one, many) = match &self.shards {
            Shards::One(shard) => (Some(shard), &[][..]),
            Shards::Many(shards) => (None, &shards[..]),
        };
        one.into_iter().chain(many.iter().map(|shard| &**shard)).flatten()
    }
}

impl<T: Keyed + Clone> Table<T> {
    /// Puts `value` in, and gives what had its key before.
    pub fn insert(&mut self, value: T) -> Option<T> {
        self.make_room(value.key());
        match self.entry(value.key()) {
            Entry::Occupied(mut entry) => Some(std::mem::replace(entry.get_mut(), value)),
            Entry::Vacant(entry) => {
                entry.insert(value);
                None
            }
        }
    }

    pub fn remove(&mut self, key: impl AsRef<[u8]>) -> Option<T> {
        let key = key.as_ref();
        // What is not there shall not make a shard be copied.
        self.get(key)?;
        match self.entry(key) {
            Entry::Occupied(entry) => {
                let (value, _) = entry.remove();
                self.length -= 1;
                Some(value)
            }
            Entry::Vacant(_) => None,
        }
    }

    /// The value to be changed in place; its key must stay what it is.
    pub fn get_mut(&mut self, key: impl AsRef<[u8]>) -> Option<&mut T> {
        let key = key.as_ref();
        self.get(key)?;
        match self.entry(key) {
            Entry::Occupied(entry) => Some(entry.into_mut()),
            Entry::Vacant(_) => None,
        }
    }

    /// The same, of a value that is made where there is none.
    pub fn get_or_insert_with(&mut self, key: impl AsRef<[u8]>, make: impl FnOnce() -> T) -> &mut T {
        self.make_room(key.as_ref());
        self.entry(key.as_ref()).or_insert_with(make).into_mut()
    }

    fn entry(&mut self, key: &[u8]) -> Entry<'_, T> {
        let hash_of_key = hash(key);
        let shard = match &mut self.shards {
            Shards::One(shard) => shard,
            Shards::Many(shards) => {
                let at = shard_of(hash_of_key, shards.len());
                // The number of shards is a power of two, and no more bits are left than it has.
                #[allow(clippy::indexing_slicing)]
                Arc::make_mut(&mut shards[at])
            }
        };
        shard.entry(hash_of_key, |value| value.key() == key, |value| hash(value.key()))
    }

    /// Counts the value that will be put in under `key`, unless there is one, and adds shards where it is one too many.
    fn make_room(&mut self, key: &[u8]) {
        if self.contains(key) {
            return;
        }
        self.length += 1;
        let count = match &self.shards {
            Shards::One(_) => 1,
            Shards::Many(shards) => shards.len(),
        };
        if self.length <= count * SHARD {
            return;
        }
        let count = count * GROWTH;
        let mut shards: Vec<HashTable<T>> =
            (0..count).map(|_| HashTable::with_capacity(SHARD / GROWTH)).collect();
        let old = std::mem::replace(&mut self.shards, Shards::One(HashTable::new()));
        let mut put = |value: T| {
            let hash_of_value = hash(value.key());
            if let Some(shard) = shards.get_mut(shard_of(hash_of_value, count)) {
                shard.insert_unique(hash_of_value, value, |value| hash(value.key()));
            }
        };
        match old {
            Shards::One(shard) => shard.into_iter().for_each(&mut put),
            Shards::Many(shards) => {
                for shard in shards {
                    Arc::unwrap_or_clone(shard).into_iter().for_each(&mut put);
                }
            }
        }
        self.shards = Shards::Many(shards.into_iter().map(Arc::new).collect());
    }
}

impl<V: Default + Clone> Table<Arc<Text<V>>> {
    /// The value under `text`, to be changed in place, made where there is none.
    pub fn under(&mut self, text: &[u8]) -> &mut V {
        let make = || Arc::new(Text { text: text.into(), value: V::default() });
        &mut Arc::make_mut(self.get_or_insert_with(text, make)).value
    }
}

impl<V: Clone> Table<Arc<Text<V>>> {
    /// Changes the value under `text`, where there is one; it is taken out where `change` says that nothing is left.
    pub fn change(&mut self, text: &[u8], change: impl FnOnce(&mut V) -> bool) {
        let is_spent = self.get_mut(text).is_some_and(|entry| change(&mut Arc::make_mut(entry).value));
        if is_spent {
            self.remove(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn entry(key: u16, value: u32) -> Arc<Text<u32>> {
        Arc::new(Text { text: key.to_string().into_bytes().into(), value })
    }

    fn content(table: &Table<Arc<Text<u32>>>) -> BTreeMap<Vec<u8>, u32> {
        table.iter().map(|entry| (entry.text.to_vec(), entry.value)).collect()
    }

    #[test]
    fn finds_each_of_many_and_nothing_else() {
        let mut table = Table::default();
        for key in 0..20_000 {
            assert!(table.insert(entry(key, u32::from(key))).is_none());
        }
        assert_eq!((table.len(), table.iter().count()), (20_000, 20_000));
        for key in 0..20_000_u16 {
            assert_eq!(table.get(key.to_string()).map(|entry| entry.value), Some(u32::from(key)));
        }
        assert!(!table.contains("20000") && !table.contains(""));
    }

    #[test]
    fn a_change_of_a_copy_copies_one_shard_alone() {
        let mut table = Table::default();
        (0..20_000).for_each(|key| drop(table.insert(entry(key, 0))));
        let mut copy = table.clone();
        *copy.under(b"7") = 1;
        copy.remove("8");
        copy.insert(entry(30_000, 0));
        assert_eq!((table.under(b"7"), copy.under(b"7")), (&mut 0, &mut 1));
        let (Shards::Many(old), Shards::Many(new)) = (&table.shards, &copy.shards) else {
            panic!("one shard")
        };
        let own = old.iter().zip(new).filter(|(old, new)| !Arc::ptr_eq(old, new)).count();
        assert!((1..=3).contains(&own), "{own}");
    }

    proptest! {
        #[test]
        fn holds_what_a_map_would(changes in prop::collection::vec((0u16..600, 0u32..4), 0..3000)) {
            let (mut table, mut map) = (Table::default(), BTreeMap::new());
            let mut copies = Vec::new();
            for (at, (key, value)) in changes.into_iter().enumerate() {
                let text = key.to_string();
                if value == 0 {
                    let removed = table.remove(&text).map(|entry: Arc<Text<u32>>| entry.value);
                    prop_assert_eq!(removed, map.remove(text.as_bytes()));
                } else {
                    let before = table.insert(entry(key, value)).map(|entry| entry.value);
                    prop_assert_eq!(before, map.insert(text.into_bytes(), value));
                }
                prop_assert_eq!(table.len(), map.len());
                if at % 500 == 0 {
                    copies.push((table.clone(), map.clone()));
                }
            }
            copies.push((table, map));
            for (table, map) in copies {
                prop_assert_eq!(content(&table), map);
            }
        }
    }
}
