//! The values of one pattern in the order of their turns, and the values of several patterns merged into one order.

use super::pattern::{Pattern, Precision};
use smallvec::SmallVec;
use std::cmp::Reverse;

/// The place of a route among those whose patterns match alike: the larger priority is tried first, then the smaller
/// order, then the smaller sequence. No two routes have the same sequence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    pub priority: i64,
    pub order: u32,
    pub sequence: u64,
}

impl Turn {
    fn key(self) -> (Reverse<i64>, u32, u64) {
        (Reverse(self.priority), self.order, self.sequence)
    }
}

/// Values with their turns.
#[derive(Clone)]
pub(super) struct Values<T>(SmallVec<[(Turn, T); 1]>);

impl<T> Default for Values<T> {
    fn default() -> Self {
        Self(SmallVec::new())
    }
}

impl<T> Values<T> {
    pub fn insert(&mut self, turn: Turn, value: T) {
        let at = self.0.partition_point(|(known, _)| known.key() <= turn.key());
        self.0.insert(at, (turn, value));
    }

    pub fn remove(&mut self, turn: Turn) {
        self.0.retain(|(known, _)| *known != turn);
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|(_, value)| value)
    }
}

/// The values of one pattern, and where it stands among patterns that match the same path. Patterns that differ in
/// nothing but the names of their parameters are one.
#[derive(Clone)]
pub(super) struct Ranked<T> {
    /// Patterns that match the same path have literal prefixes of that path, so length alone compares them.
    literal_prefix: usize,
    precision: Box<[Precision]>,
    pub values: Values<T>,
}

impl<T> Ranked<T> {
    pub fn of(pattern: &Pattern) -> Self {
        Self {
            literal_prefix: pattern.literal_prefix(),
            precision: pattern.precision(),
            values: Values::default(),
        }
    }
}

/// The values that match a path, pattern by pattern, to be taken in their common order.
///
/// More than the inline number needs that many different patterns to match one path; only then it allocates.
pub(super) struct Matches<'t, T> {
    lists: SmallVec<[Remaining<'t, T>; 32]>,
    #[cfg(test)]
    pub visited: usize,
}

struct Remaining<'t, T> {
    ranked: &'t Ranked<T>,
    values: &'t [(Turn, T)],
}

impl<'t, T> Matches<'t, T> {
    pub fn new() -> Self {
        Self {
            lists: SmallVec::new(),
            #[cfg(test)]
            visited: 0,
        }
    }

    pub fn add(&mut self, ranked: &'t Ranked<T>) {
        self.lists.push(Remaining { ranked, values: &ranked.values.0 });
    }

    /// Takes the value that is to be tried next.
    pub fn take_first(&mut self) -> Option<&'t T> {
        let mut best: Option<&mut Remaining<'t, T>> = None;
        for list in &mut self.lists {
            let goes_first = match (&best, list.values.first()) {
                (_, None) => false,
                (None, Some(_)) => true,
                (Some(best), Some((turn, _))) => list.goes_before(*turn, best),
            };
            if goes_first {
                best = Some(list);
            }
        }
        let best = best?;
        let ((_, first), rest) = best.values.split_first()?;
        best.values = rest;
        Some(first)
    }
}

impl<T> Remaining<'_, T> {
    /// Whether the value at `turn`, the first of these, goes before the first of `other`.
    fn goes_before(&self, turn: Turn, other: &Self) -> bool {
        let Some((others, _)) = other.values.first() else {
            return true;
        };
        let ((priority, order, sequence), (prefix, precision)) = (turn.key(), self.ranked.rank());
        let ((other_priority, other_order, other_sequence), (other_prefix, other_precision)) =
            (others.key(), other.ranked.rank());
        (prefix, priority, precision, order, sequence)
            < (other_prefix, other_priority, other_precision, other_order, other_sequence)
    }
}

impl<T> Ranked<T> {
    fn rank(&self) -> (Reverse<usize>, Reverse<&[Precision]>) {
        (Reverse(self.literal_prefix), Reverse(&self.precision))
    }
}
