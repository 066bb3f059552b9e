//! Balancers that look at how nodes fare: fewest requests under way, and lowest latency.

use super::draw;
use crate::upstream::roster::{Member, Tier};
use std::sync::Arc;

/// The usable node with the fewest requests under way for its weight; among equals, the first from `position` on.
pub fn connections<'a>(
    tier: &'a Tier,
    position: usize,
    usable: &dyn Fn(&Member) -> bool,
) -> Option<&'a Arc<Member>> {
    let (before, from) = tier.members.split_at(position.checked_rem(tier.members.len())?);
    let usable = from.iter().chain(before).filter(|member| usable(member));
    let loads =
        usable.map(|member| (f64::from(member.state.under_way() + 1) / f64::from(member.weight), member));
    loads.min_by(|one, other| one.0.total_cmp(&other.0)).map(|(_, member)| member)
}

/// The better of two usable nodes that are drawn by lot: by latency, times the requests under way. Two are compared
/// and not all, since else every worker would rush to the same node. Weights other than 0 are without effect.
pub fn latency<'a>(
    tier: &'a Tier,
    position: usize,
    usable: &dyn Fn(&Member) -> bool,
) -> Option<&'a Arc<Member>> {
    let usable = || tier.members.iter().filter(|member| usable(member));
    let count = usable().count();
    let lot = (position as u64).wrapping_mul(2);
    let first = draw(lot, count);
    // Another one than the first, wherever there is one.
    let second = (first + 1 + draw(lot + 1, count.saturating_sub(1))) % count.max(1);
    let (one, other) = (usable().nth(first)?, usable().nth(second)?);
    Some(if cost(one) <= cost(other) { one } else { other })
}

/// A node without a latency yet costs next to nothing, so that it is tried.
fn cost(member: &Member) -> f64 {
    (member.state.latency() + 1.0) * f64::from(member.state.under_way() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::roster::testing::{share, tier};
    use std::time::Duration;

    #[test]
    fn requests_under_way_are_kept_in_proportion_to_weights() {
        let tier = tier(&[1, 2, 1]);
        let shares = share(&tier, 400, |position| {
            let chosen = connections(&tier, position, &|_| true);
            chosen.inspect(|member| member.state.begin())
        });
        assert_eq!(shares, [100, 200, 100]);
    }

    #[test]
    fn a_node_that_keeps_its_requests_gets_no_more() {
        let tier = tier(&[1, 1]);
        tier.members[0].state.begin();
        let shares = share(&tier, 10, |position| connections(&tier, position, &|_| true));
        assert_eq!(shares, [0, 10]);
        let left = connections(&tier, 0, &|member| member.origin == 0);
        assert_eq!(left.map(|member| member.origin), Some(0));
    }

    #[test]
    fn the_slower_of_two_is_not_chosen() {
        let tier = tier(&[1, 1, 1]);
        for (index, milliseconds) in [(0, 5), (1, 500), (2, 5)] {
            tier.members[index].state.add_latency(Duration::from_millis(milliseconds));
        }
        let shares = share(&tier, 300, |position| latency(&tier, position, &|_| true));
        assert_eq!(shares[1], 0, "{shares:?}");
        assert!(shares[0] > 50 && shares[2] > 50, "{shares:?}");
    }

    #[test]
    fn one_node_is_enough_and_none_is_none() {
        let tier = tier(&[1, 1]);
        assert!(latency(&tier, 7, &|member| member.origin == 1).is_some());
        assert!(latency(&tier, 7, &|_| false).is_none() && connections(&tier, 7, &|_| false).is_none());
    }
}
