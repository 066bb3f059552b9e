//! The nodes of an upstream as they are now: those of the snapshot, a name taken apart into its addresses.
//!
//! A roster is never changed. When the answer for a name changes, [`super::upkeep`] has a new one made, off the request
//! path, and workers find it at their next choice. A node's state is found by its address, so it goes on.

use super::balance::{Balance, cycle, hash};
use super::connect::Node;
use super::node_state::{NodeState, UpstreamState};
use super::resolve::{Address, Answer, Name, Names, Target};
use crate::snapshot::UpstreamDefinition;
use std::net::IpAddr;
use std::sync::Arc;

/// All nodes of an upstream.
pub struct Roster {
    /// In the order of the snapshot, those of weight 0 too.
    pub members: Vec<Arc<Member>>,
    /// Those that may be chosen, the highest priority first.
    pub tiers: Vec<Tier>,
    /// What was known of the upstream's names when the roster was made.
    answers: Vec<Answer>,
}

/// Nodes of the same priority, each of a weight above 0.
pub struct Tier {
    pub members: Vec<Arc<Member>>,
    /// For round robin: indexes of members in the order in which they take their turns.
    pub cycle: Vec<u32>,
}

/// A node's place in the roster.
pub struct Member {
    pub node: Node,
    pub state: Arc<NodeState>,
    pub weight: u32,
    pub priority: i32,
    /// What consistent hashing knows the node by.
    pub seed: u64,
    /// Which node of the snapshot it is; the addresses of one name have it in common.
    pub origin: usize,
    /// Host and port as the snapshot has them.
    pub host: Arc<str>,
    pub port: u16,
    /// The address; the name where it has none yet; `unix:<path>` for a socket.
    pub ip: Arc<str>,
}

/// Where the nodes of an upstream are, names by their entries.
pub struct Targets(Vec<Target>);

impl Targets {
    pub fn build(definition: &UpstreamDefinition, names: &Names) -> Result<Self, String> {
        let targets = definition.nodes.iter().map(|node| match &node.connect_to {
            Some(instead) => Target::parse(instead, names),
            None => Ok(Target::of(&node.host, node.port, names)),
        });
        targets.collect::<Result<_, _>>().map(Self)
    }

    /// The names among them.
    pub fn names(&self) -> impl Iterator<Item = &Arc<Name>> {
        self.0.iter().filter_map(Target::name)
    }
}

impl Roster {
    /// Makes the roster from what is known now.
    pub fn build(
        definition: &UpstreamDefinition,
        targets: &Targets,
        state: &UpstreamState,
        balance: &Balance,
    ) -> Result<Self, String> {
        let answers: Vec<Answer> = targets.names().map(|name| name.answer()).collect();
        let mut members = Vec::with_capacity(definition.nodes.len());
        for (origin, (node, target)) in definition.nodes.iter().zip(&targets.0).enumerate() {
            for (address, ip) in target.addresses() {
                let host = node.host.trim_start_matches('[').trim_end_matches(']');
                let configured = format!("{host}:{}", node.port);
                let key = format!("{configured} {address}");
                members.push(Arc::new(Member {
                    state: state.node(&key),
                    seed: hash(if target.name().is_none() { &configured } else { &key }),
                    node: Node::build(definition, node, address)?,
                    weight: node.weight,
                    priority: node.priority,
                    origin,
                    host: host.into(),
                    port: node.port,
                    ip,
                }));
            }
        }
        Ok(Self { tiers: tiers(&members, balance), members, answers })
    }

    /// Whether `targets` would now give other nodes.
    pub fn is_outdated(&self, targets: &Targets) -> bool {
        !self.answers.iter().eq(targets.names().map(|name| name.answer()).collect::<Vec<_>>().iter())
    }
}

fn tiers(members: &[Arc<Member>], balance: &Balance) -> Vec<Tier> {
    let mut usable: Vec<_> = members.iter().filter(|member| member.weight > 0).cloned().collect();
    // Stable: within a priority the order stays that of the snapshot.
    usable.sort_by_key(|member| std::cmp::Reverse(member.priority));
    let tiers = usable.chunk_by(|one, other| one.priority == other.priority);
    tiers.map(|members| Tier::new(members.to_vec(), matches!(balance, Balance::RoundRobin))).collect()
}

impl Tier {
    fn new(members: Vec<Arc<Member>>, in_turns: bool) -> Self {
        let cycle = if in_turns { cycle(members.iter().map(|member| member.weight)) } else { Vec::new() };
        Self { members, cycle }
    }
}

/// The address as people write it, without a port.
pub fn shown(address: IpAddr) -> Arc<str> {
    address.to_canonical().to_string().into()
}

impl Member {
    /// Where a probe goes: this node, or another port of it.
    pub fn probe_address(&self, port: Option<u16>) -> Address {
        match port {
            Some(port) => self.node.address.with_port(port),
            None => self.node.address.clone(),
        }
    }
}

#[cfg(test)]
pub mod testing {
    //! Tiers for the tests of balancers.

    use super::*;
    use serde_json::json;

    /// A tier of nodes with these weights; a node's origin is its index.
    pub fn tier(weights: &[u32]) -> Tier {
        let nodes: Vec<_> = (1_u16..)
            .zip(weights)
            .map(|(port, weight)| json!({"host": "192.0.2.1", "port": port, "weight": weight}))
            .collect();
        let mut tiers = roster(json!(nodes)).tiers;
        assert_eq!(tiers.len(), 1);
        tiers.remove(0)
    }

    pub fn roster(nodes: serde_json::Value) -> Roster {
        let definition = json!({
            "id": "up", "scheme": "http", "nodes": nodes, "pass_host": "pass", "retries": 0,
            "timeout": {"connect_ms": 1, "send_ms": 1, "read_ms": 1},
            "keepalive": {"size": 0, "idle_timeout_ms": 0, "requests": 1}, "tls_verify": true,
        });
        let definition = serde_json::from_value(definition).unwrap();
        let targets = Targets::build(&definition, &Names::default()).unwrap();
        Roster::build(&definition, &targets, &UpstreamState::default(), &Balance::RoundRobin).unwrap()
    }

    /// How often each member is chosen in `rounds` choices.
    pub fn share<'a>(
        tier: &Tier,
        rounds: usize,
        choose: impl Fn(usize) -> Option<&'a Arc<Member>>,
    ) -> Vec<usize> {
        let mut shares = vec![0; tier.members.len()];
        (0..rounds).filter_map(choose).for_each(|member| shares[member.origin] += 1);
        shares
    }
}

#[cfg(test)]
mod tests {
    use super::testing::roster;
    use serde_json::json;

    #[test]
    fn priorities_go_before_the_order_of_the_snapshot() {
        let node = |port, weight, priority| json!({"host": "192.0.2.1", "port": port, "weight": weight, "priority": priority});
        let roster =
            roster(json!([node(1, 1, -1), node(2, 1, 0), node(3, 0, 9), node(4, 2, 0), node(5, 1, 5)]));
        let ports: Vec<Vec<u16>> =
            roster.tiers.iter().map(|tier| tier.members.iter().map(|member| member.port).collect()).collect();
        assert_eq!(ports, [vec![5], vec![2, 4], vec![1]]);
        assert_eq!(roster.members.len(), 5);
    }

    #[test]
    fn a_node_is_known_by_its_address() {
        let node = |host, port| json!({"host": host, "port": port, "weight": 1});
        let roster = roster(json!([node("192.0.2.1", 80), node("::1", 81), node("localhost", 82)]));
        let shown: Vec<_> =
            roster.members.iter().map(|member| (&*member.host, &*member.ip, &*member.node.label)).collect();
        assert_eq!(
            shown,
            [
                ("192.0.2.1", "192.0.2.1", "192.0.2.1:80"),
                ("::1", "::1", "[::1]:81"),
                ("localhost", "127.0.0.1", "localhost:82"),
            ]
        );
    }
}
