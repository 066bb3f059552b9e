//! How the nodes of checked upstreams are, in the shape of Apache APISIX's `/v1/healthcheck`.

use crate::snapshot::{CheckKind, Checks};
use crate::table::Table;
use crate::upstream::{Member, Upstream};
use serde::Serialize;
use std::sync::Arc;

/// One upstream that has checks.
#[derive(Serialize)]
pub struct Checked {
    name: String,
    r#type: CheckKind,
    nodes: Vec<Node>,
}

#[derive(Serialize)]
struct Node {
    ip: Arc<str>,
    hostname: Arc<str>,
    port: u16,
    status: &'static str,
    counter: Counter,
}

#[derive(Serialize)]
struct Counter {
    success: u8,
    http_failure: u8,
    tcp_failure: u8,
    timeout_failure: u8,
}

/// All upstreams that have checks, in the order of their names.
pub fn all(upstreams: &Table<Arc<Upstream>>) -> Vec<Checked> {
    let mut all: Vec<Checked> = upstreams.iter().filter_map(|upstream| checked(upstream)).collect();
    all.sort_by(|one, other| one.name.cmp(&other.name));
    all
}

/// The one that belongs to the resource `id` of this kind (`upstreams`, `routes`, `services` or `apis`).
pub fn one(upstreams: &Table<Arc<Upstream>>, kind: &str, id: &str) -> Result<Checked, String> {
    let name = format!("/apisix/{kind}/{id}");
    let found = upstreams.iter().find(|upstream| resource(&upstream.definition.id) == name);
    let found = found.ok_or_else(|| format!("{kind}[{id}] has no upstream of its own"))?;
    checked(found).ok_or_else(|| format!("no checker for {kind}[{id}]"))
}

/// The resource that an upstream belongs to, as Apache APISIX names it: an upstream that stands inside of a route,
/// service or api has the id `route:<id>`, `service:<id>` or `api:<id>`.
pub fn resource(id: &str) -> String {
    match id.split_once(':') {
        Some((kind, rest)) => format!("/apisix/{kind}s/{rest}"),
        None => format!("/apisix/upstreams/{id}"),
    }
}

fn checked(upstream: &Upstream) -> Option<Checked> {
    let checks = upstream.definition.checks.as_ref()?;
    Some(Checked {
        name: resource(&upstream.definition.id),
        r#type: kind(checks),
        nodes: upstream.roster().members.iter().map(|member| node(member)).collect(),
    })
}

fn kind(checks: &Checks) -> CheckKind {
    let active = checks.active.as_ref().map(|active| active.kind);
    active.or_else(|| checks.passive.as_ref().map(|passive| passive.kind)).unwrap_or(CheckKind::Http)
}

fn node(member: &Member) -> Node {
    let counters = member.state.health.counters();
    Node {
        ip: member.ip.clone(),
        hostname: member.host.clone(),
        port: member.port,
        status: member.state.health.status().name(),
        counter: Counter {
            success: counters.success,
            http_failure: counters.http_failure,
            tcp_failure: counters.tcp_failure,
            timeout_failure: counters.timeout_failure,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::resource;

    #[test]
    fn an_upstream_is_named_after_its_resource() {
        for (id, name) in [
            ("web", "/apisix/upstreams/web"),
            ("route:r1", "/apisix/routes/r1"),
            ("service:s", "/apisix/services/s"),
            ("api:shop:https:a.example:443", "/apisix/apis/shop:https:a.example:443"),
        ] {
            assert_eq!(resource(id), name);
        }
    }
}
