//! Weighted round robin: nodes in the smooth order, worked out once, and a shared position in it.

use super::draw;
use crate::upstream::roster::{Member, Tier};
use std::sync::Arc;

/// The longest cycle that is worked out; larger weights are scaled down to it, each to at least 1.
const LONGEST_CYCLE: u64 = 4096;
/// How often another place of the cycle is drawn for one whose node cannot be used. Going on to the next place instead
/// would give all requests of a dead node to its neighbour.
const DRAWS: u64 = 8;

/// The node at `position` of the tier's cycle, or where that cannot be used, at a place drawn by lot.
pub fn pick<'a>(
    tier: &'a Tier,
    position: usize,
    usable: &dyn Fn(&Member) -> bool,
) -> Option<&'a Arc<Member>> {
    let length = tier.cycle.len();
    let at = |place: usize| {
        let index = *tier.cycle.get(place.checked_rem(length)?)?;
        tier.members.get(usize::try_from(index).ok()?).filter(|member| usable(member))
    };
    let drawn = |draw_number: u64| {
        let lot = (position as u64).wrapping_mul(DRAWS).wrapping_add(draw_number);
        at(draw(lot, length))
    };
    at(position)
        .or_else(|| (0..DRAWS).find_map(drawn))
        .or_else(|| (0..length).find_map(|step| at(position.wrapping_add(step))))
}

/// Indexes of nodes so that each comes as often as its weight says, spread evenly (the smooth order of nginx).
pub fn cycle(weights: impl Iterator<Item = u32>) -> Vec<u32> {
    smooth(&scaled(weights.map(u64::from).collect()))
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

fn smooth(weights: &[u64]) -> Vec<u32> {
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
    use crate::upstream::roster::testing::{share, tier};

    #[test]
    fn spreads_weights_smoothly() {
        assert_eq!(cycle([5, 1, 1].into_iter()), [0, 0, 1, 0, 2, 0, 0]);
    }

    #[test]
    fn leaves_out_a_node_of_weight_zero() {
        assert_eq!(cycle([1, 0, 1].into_iter()), [0, 2]);
    }

    #[test]
    fn keeps_the_share_of_large_weights() {
        let cycle = cycle([3_000_000, 1_000_001].into_iter());
        let second = cycle.iter().filter(|index| **index == 1).count();
        assert!((1000..1050).contains(&second) && cycle.len() <= 4096, "{second} of {}", cycle.len());
    }

    #[test]
    fn spreads_the_requests_of_a_node_that_is_down_over_all_others() {
        let tier = tier(&[1, 1, 1, 1]);
        let shares = share(&tier, 3000, |position| pick(&tier, position, &|member| member.origin != 1));
        assert_eq!(shares[1], 0);
        for index in [0, 2, 3] {
            assert!((950..1050).contains(&shares[index]), "{shares:?}");
        }
    }

    #[test]
    fn finds_the_only_node_left_and_none_where_there_is_none() {
        let tier = tier(&[400, 400, 1]);
        for position in 0..900 {
            let left = pick(&tier, position, &|member| member.origin == 2);
            assert_eq!(left.map(|member| member.origin), Some(2));
        }
        assert!(pick(&tier, 0, &|_| false).is_none());
    }
}
