//! Consistent hashing: every node draws a number for the key, and the best draw in proportion to the weight wins
//! (rendezvous hashing with weights; Schindelhauer and Schomaker, 2005).
//!
//! A node that comes or goes takes or leaves its own keys and moves no other, without a ring to be built. The draws
//! depend on the key and the node's name alone, so gateways side by side choose alike.

use super::mix;
use crate::exchange::Exchange;
use crate::snapshot::HashOn;
use crate::upstream::roster::{Member, Tier};
use crate::variable::{Template, Variable, with_buffer};
use std::sync::Arc;

/// Where the text comes from that is hashed. Without a value it is the client's address, as in Apache APISIX.
pub enum HashKey {
    Variable(Variable),
    Template(Template),
}

impl HashKey {
    pub fn consumer() -> Self {
        Self::Variable(Variable::ConsumerName)
    }

    pub fn build(hash_on: HashOn, key: &str) -> Result<Self, String> {
        if key.is_empty() {
            return Err("chash needs a key, the name of what is hashed".to_owned());
        }
        match hash_on {
            HashOn::Consumer => Ok(Self::consumer()),
            HashOn::Vars => Variable::parse(key).map(Self::Variable),
            HashOn::Cookie => Ok(Self::Variable(Variable::Cookie(key.into()))),
            HashOn::Header => match key.parse() {
                Ok(name) => Ok(Self::Variable(Variable::Header(name))),
                Err(_) => Err(format!("the key {key:?} is not the name of a header")),
            },
            HashOn::VarsCombinations => Template::parse(key).map(Self::Template),
        }
    }

    pub fn hash_of(&self, exchange: &Exchange) -> u64 {
        with_buffer(|text| {
            let has_value = match self {
                Self::Variable(variable) => variable.write(exchange, text),
                Self::Template(template) => template.write(exchange, |_| None, text),
            };
            if !has_value {
                text.clear();
                Variable::RemoteAddress.write(exchange, text);
            }
            hash(text)
        })
    }
}

/// A hash that stays the same in every process and version (FNV-1a, its bits mixed).
pub fn hash(text: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    mix(text.bytes().fold(0xcbf2_9ce4_8422_2325, step))
}

/// The usable node with the best draw for `key`.
pub fn pick<'a>(tier: &'a Tier, key: u64, usable: &dyn Fn(&Member) -> bool) -> Option<&'a Arc<Member>> {
    let drawn = tier.members.iter().filter(|member| usable(member));
    drawn
        .map(|member| (score(member, key), member))
        .min_by(|one, other| one.0.total_cmp(&other.0))
        .map(|best| best.1)
}

/// The smaller the better: exponentially distributed with the weight as its rate, so that the least of all belongs to
/// each node in proportion to its weight.
fn score(member: &Member, key: u64) -> f64 {
    // 53 bits, as many as a float holds, and never 0, whose logarithm is not finite.
    let drawn = (mix(key ^ member.seed) >> 11) + 1;
    -((drawn as f64) / ((1_u64 << 53) as f64 + 1.0)).ln() / f64::from(member.weight)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugins::testing::{Bench, get};
    use crate::upstream::roster::testing::{share, tier};
    use serde_json::json;

    fn key(number: usize) -> u64 {
        hash(&format!("key {number}"))
    }

    #[test]
    fn keys_are_shared_out_by_weight() {
        let tier = tier(&[1, 2, 7]);
        let shares = share(&tier, 10_000, |number| pick(&tier, key(number), &|_| true));
        for (share, expected) in shares.iter().zip([1000_usize, 2000, 7000]) {
            assert!(share.abs_diff(expected) < 200, "{shares:?}");
        }
    }

    #[test]
    fn a_node_that_goes_moves_its_own_keys_only() {
        let tier = tier(&[1, 1, 1, 1, 1]);
        for number in 0..1000 {
            let before = pick(&tier, key(number), &|_| true).map(|member| member.origin);
            let after = pick(&tier, key(number), &|member| member.origin != 3).map(|member| member.origin);
            assert!(before == after || before == Some(3), "key {number}");
        }
    }

    #[test]
    fn choices_are_the_same_in_every_gateway() {
        let tier = tier(&[1, 1, 1]);
        let chosen: Vec<_> = (0..8)
            .filter_map(|number| pick(&tier, key(number), &|_| true))
            .map(|member| member.origin)
            .collect();
        assert_eq!(chosen, [1, 2, 0, 0, 0, 0, 2, 0]);
    }

    #[test]
    fn hashes_what_hash_on_and_key_name() {
        let bench = Bench::new(json!({}));
        let exchange = || {
            let request = get("/p?user=ann").header("X-Tenant", "t1").header("Cookie", "session=s1");
            bench.exchange(request)
        };
        for (hash_on, name, text) in [
            (HashOn::Vars, "arg_user", "ann"),
            (HashOn::Vars, "uri", "/p"),
            (HashOn::Vars, "arg_none", "192.0.2.7"),
            (HashOn::Header, "X-Tenant", "t1"),
            (HashOn::Header, "X-None", "192.0.2.7"),
            (HashOn::Cookie, "session", "s1"),
            (HashOn::Consumer, "ignored", "192.0.2.7"),
            (HashOn::VarsCombinations, "$arg_user-$http_x_tenant", "ann-t1"),
        ] {
            let key = HashKey::build(hash_on, name).unwrap();
            assert_eq!(key.hash_of(&exchange()), hash(text), "{name}");
        }
    }

    #[test]
    fn refuses_a_key_that_names_nothing() {
        for (hash_on, name, why) in [
            (HashOn::Vars, "", "needs a key"),
            (HashOn::Vars, "remote_adr", "did you mean $remote_addr?"),
            (HashOn::Header, "not a name", "not the name of a header"),
        ] {
            let message = HashKey::build(hash_on, name).err().unwrap();
            assert!(message.contains(why), "{message}");
        }
    }
}
