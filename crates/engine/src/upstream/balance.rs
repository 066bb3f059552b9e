//! Weighted round robin: nodes in the smooth order, worked out once, and a shared position in it.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The longest cycle that is worked out; larger weights are scaled down to it, each to at least 1.
const LONGEST_CYCLE: u64 = 4096;

/// Gives node indexes so that each comes as often as its weight says, spread evenly (the smooth order of nginx).
pub struct RoundRobin {
    cycle: Vec<u32>,
    position: AtomicUsize,
}

impl RoundRobin {
    pub fn new(weights: impl Iterator<Item = u32>) -> Self {
        Self { cycle: cycle(&scaled(weights.map(u64::from).collect())), position: AtomicUsize::new(0) }
    }

    /// The next node's index; none where every weight is 0.
    pub fn next(&self) -> Option<usize> {
        let position = self.position.fetch_add(1, Ordering::Relaxed);
        let index = self.cycle.get(position.checked_rem(self.cycle.len())?)?;
        usize::try_from(*index).ok()
    }
}

fn scaled(weights: Vec<u64>) -> Vec<u64> {
    let divisor = weights.iter().copied().fold(0, greatest_common_divisor).max(1);
    let total: u64 = weights.iter().map(|weight| weight / divisor).sum();
    let shrink = |weight: u64| match weight / divisor {
        0 => 0,
        weight if total <= LONGEST_CYCLE => weight,
        weight => (weight * LONGEST_CYCLE / total).max(1),
    };
    weights.into_iter().map(shrink).collect()
}

fn cycle(weights: &[u64]) -> Vec<u32> {
    let total: i64 = weights.iter().sum::<u64>().try_into().unwrap_or(i64::MAX);
    let mut current = vec![0_i64; weights.len()];
    let mut cycle = Vec::new();
    for _ in 0..total {
        for (current, weight) in current.iter_mut().zip(weights) {
            *current += i64::try_from(*weight).unwrap_or(0);
        }
        // The first of the largest, as nginx does.
        let best = (0_u32..).zip(&mut current).reduce(|best, next| if next.1 > best.1 { next } else { best });
        if let Some((index, current)) = best {
            *current -= total;
            cycle.push(index);
        }
    }
    cycle
}

fn greatest_common_divisor(left: u64, right: u64) -> u64 {
    if right == 0 { left } else { greatest_common_divisor(right, left % right) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(weights: &[u32], count: usize) -> Vec<usize> {
        let balancer = RoundRobin::new(weights.iter().copied());
        (0..count).filter_map(|_| balancer.next()).collect()
    }

    #[test]
    fn spreads_weights_smoothly() {
        assert_eq!(take(&[5, 1, 1], 7), [0, 0, 1, 0, 2, 0, 0]);
    }

    #[test]
    fn leaves_out_a_node_of_weight_zero() {
        assert_eq!(take(&[1, 0, 1], 4), [0, 2, 0, 2]);
    }

    #[test]
    fn has_no_node_where_all_weights_are_zero() {
        assert_eq!(RoundRobin::new([0, 0].into_iter()).next(), None);
    }

    #[test]
    fn keeps_the_share_of_large_weights() {
        let taken = take(&[3_000_000, 1_000_001], 4096);
        let second = taken.iter().filter(|index| **index == 1).count();
        assert!((1000..1050).contains(&second), "{second}");
    }
}
