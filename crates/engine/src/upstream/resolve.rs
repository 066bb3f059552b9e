//! Where nodes are: literal addresses, sockets, and names with the addresses that DNS gives for them.
//!
//! Names are resolved off the request path: [`follow`] asks again when an answer's time is up, and the last good answer
//! stays where asking fails. Only a name that was never answered makes an exchange wait. Literal addresses and
//! `localhost` (RFC 6761) need no DNS.

use super::node_state::shared;
use super::roster::shown;
use crate::snapshot::Dns;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use smallvec::{SmallVec, smallvec};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};
use std::{fmt, io};
use tokio::sync::{Notify, watch};

/// Bounds on the time after which a name is asked for again, whatever its TTL.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(300);
/// The longest pause after failures; the first is [`SHORTEST`], and each is twice the one before.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What to connect to.
#[derive(Clone)]
pub enum Address {
    /// Tried in this order.
    Tcp(SmallVec<[SocketAddr; 1]>),
    Unix(Arc<str>),
    /// A name that was not answered yet.
    Name(Arc<Name>, u16),
}

/// Where a node of the snapshot is, which for a name may be several addresses.
pub enum Target {
    Address(Address, Arc<str>),
    Name(Arc<Name>, u16),
}

/// The names that anybody needs: nodes of generations, and servers that the gateway itself asks.
#[derive(Default)]
pub struct Names {
    by_text: Mutex<HashMap<Box<str>, Weak<Name>>>,
    added: Notify,
}

/// A name and its present answer.
pub struct Name {
    pub text: Box<str>,
    answer: watch::Sender<Answer>,
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Answer {
    /// It was not asked for yet.
    #[default]
    Unknown,
    /// At least one address, sorted.
    Addresses(Arc<[IpAddr]>),
    /// Why there is none.
    Failed(Arc<str>),
}

impl Names {
    fn of(&self, text: &str) -> Arc<Name> {
        let mut by_text = self.by_text.lock().unwrap_or_else(PoisonError::into_inner);
        shared(&mut by_text, text, || {
            self.added.notify_one();
            Name { text: text.into(), answer: watch::Sender::default() }
        })
    }

    /// Those that somebody still needs.
    pub fn living(&self) -> Vec<Arc<Name>> {
        let by_text = self.by_text.lock().unwrap_or_else(PoisonError::into_inner);
        by_text.values().filter_map(Weak::upgrade).collect()
    }

    /// Waits for a name that was not there before. One waits at a time.
    pub async fn added(&self) {
        self.added.notified().await;
    }
}

impl Name {
    pub fn answer(&self) -> Answer {
        self.answer.borrow().clone()
    }
}

impl Target {
    /// `host` may be an address, with brackets or without, or a name.
    pub fn of(host: &str, port: u16, names: &Names) -> Self {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = host.parse::<IpAddr>() {
            return Self::Address(Address::Tcp(smallvec![SocketAddr::new(address, port)]), shown(address));
        }
        if host.eq_ignore_ascii_case("localhost") {
            let both = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
            let both = both.into_iter().map(|address| SocketAddr::new(address, port)).collect();
            return Self::Address(Address::Tcp(both), shown(Ipv4Addr::LOCALHOST.into()));
        }
        Self::Name(names.of(&host.to_ascii_lowercase()), port)
    }

    /// `host:port` or `unix:/path`.
    pub fn parse(text: &str, names: &Names) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return Ok(Self::Address(Address::Unix(path.into()), text.into()));
        }
        let parts = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
        let (host, port) = parts.ok_or_else(|| format!("{text:?} is neither host:port nor unix:/path"))?;
        Ok(Self::of(host, port, names))
    }

    pub fn name(&self) -> Option<&Arc<Name>> {
        match self {
            Self::Name(name, _) => Some(name),
            Self::Address(..) => None,
        }
    }

    /// What is known now, at least one address, and how it is shown.
    pub fn addresses(&self) -> Vec<(Address, Arc<str>)> {
        match self {
            Self::Address(address, shown) => vec![(address.clone(), shown.clone())],
            Self::Name(name, port) => match name.answer() {
                Answer::Addresses(known) => known
                    .iter()
                    .map(|ip| (Address::Tcp(smallvec![SocketAddr::new(*ip, *port)]), shown(*ip)))
                    .collect(),
                _ => vec![(Address::Name(name.clone(), *port), Arc::from(&*name.text))],
            },
        }
    }
}

impl Address {
    /// The socket addresses to try in turn. Waits for a name's first answer; a Unix socket has none.
    pub async fn resolved(&self) -> io::Result<SmallVec<[SocketAddr; 1]>> {
        match self {
            Self::Tcp(addresses) => Ok(addresses.clone()),
            Self::Unix(_) => Ok(SmallVec::new()),
            Self::Name(name, port) => {
                let mut answers = name.answer.subscribe();
                // The sender lives as long as the name.
                let answer = answers.wait_for(|answer| *answer != Answer::Unknown).await;
                match answer.as_deref() {
                    Ok(Answer::Addresses(known)) => {
                        Ok(known.iter().map(|ip| SocketAddr::new(*ip, *port)).collect())
                    }
                    Ok(Answer::Failed(why)) => Err(io::Error::other(why.to_string())),
                    Ok(Answer::Unknown) | Err(_) => Err(io::Error::other("the name was not resolved")),
                }
            }
        }
    }

    pub fn with_port(&self, port: u16) -> Self {
        match self {
            Self::Tcp(addresses) => {
                Self::Tcp(addresses.iter().map(|address| SocketAddr::new(address.ip(), port)).collect())
            }
            Self::Name(name, _) => Self::Name(name.clone(), port),
            Self::Unix(_) => self.clone(),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(addresses) => match addresses.first() {
                Some(address) => write!(formatter, "{address}"),
                None => Ok(()),
            },
            Self::Unix(path) => write!(formatter, "unix:{path}"),
            Self::Name(name, port) => write!(formatter, "{}:{port}", name.text),
        }
    }
}

/// A resolver as `dns` wants it; /etc/hosts goes before DNS.
pub fn resolver(dns: &Dns) -> Result<TokioResolver, String> {
    let (config, mut options) = match dns.nameservers.is_empty() {
        // Without a system configuration there is still /etc/hosts.
        true => hickory_resolver::system_conf::read_system_conf().unwrap_or_default(),
        false => (ResolverConfig::from_name_servers(name_servers(dns)?), ResolverOpts::default()),
    };
    // Answers are kept by name here, with their TTL.
    options.cache_size = 0;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.use_hosts_file = ResolveHosts::Always;
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    *builder.options_mut() = options;
    builder.build().map_err(|error| error.to_string())
}

/// The name servers of `dns`. The error names the one that is none.
pub fn name_servers(dns: &Dns) -> Result<Vec<NameServerConfig>, String> {
    let server = |text: &String| {
        let with_port = text.parse::<SocketAddr>().ok();
        let alone = || text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
        let address = with_port.or_else(|| Some(SocketAddr::new(alone()?, 53)));
        let address = address.ok_or_else(|| format!("{text:?} is not the address of a name server"))?;
        let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
        connections.iter_mut().for_each(|connection| connection.port = address.port());
        Ok(NameServerConfig::new(address.ip(), true, connections))
    };
    dns.nameservers.iter().map(server).collect()
}

/// Keeps the answer for a name up to date as long as anybody needs the name, and tells `changed` of each change.
pub async fn follow(name: Weak<Name>, resolver: Arc<TokioResolver>, changed: Arc<Notify>) {
    let mut pause = SHORTEST;
    loop {
        let Some(name) = name.upgrade() else {
            return;
        };
        let (answer, wait) = match resolver.lookup_ip(&*name.text).await {
            Ok(found) => {
                let wait = found.valid_until().saturating_duration_since(Instant::now());
                (reachable(found.iter().collect()), wait.clamp(SHORTEST, LONGEST))
            }
            Err(error) => (Err(error.to_string()), pause),
        };
        pause = if answer.is_ok() { SHORTEST } else { (pause * 2).min(LONGEST_PAUSE) };
        let has_changed = name.answer.send_if_modified(|known| match answer {
            Ok(addresses) => replace(known, Answer::Addresses(addresses)),
            Err(_) if matches!(known, Answer::Addresses(_)) => false,
            Err(why) => replace(known, Answer::Failed(format!("{}: {why}", name.text).into())),
        });
        if has_changed {
            changed.notify_one();
        }
        drop(name);
        tokio::time::sleep(wait).await;
    }
}

fn replace(known: &mut Answer, new: Answer) -> bool {
    let differs = *known != new;
    if differs {
        *known = new;
    }
    differs
}

/// The addresses that this machine has a route to, or all where it has none to any: an IPv6 address is of no use
/// where there is no IPv6.
fn reachable(mut addresses: Vec<IpAddr>) -> Result<Arc<[IpAddr]>, String> {
    addresses.sort_unstable();
    addresses.dedup();
    let routed: Vec<IpAddr> = addresses.iter().copied().filter(|address| has_route(*address)).collect();
    match if routed.is_empty() { addresses } else { routed } {
        none if none.is_empty() => Err("it has no address".to_owned()),
        some => Ok(some.into()),
    }
}

/// Connecting a UDP socket looks for a route and sends nothing.
fn has_route(address: IpAddr) -> bool {
    let any: IpAddr = match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    UdpSocket::bind((any, 0)).and_then(|socket| socket.connect((address, 53))).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_localhost_need_no_dns() {
        let names = Names::default();
        for (text, shown) in [
            ("192.0.2.1:80", "192.0.2.1:80"),
            ("[::1]:80", "[::1]:80"),
            ("LocalHost:80", "127.0.0.1:80"),
            ("unix:/run/a.sock", "unix:/run/a.sock"),
            ("Api.example.com:80", "api.example.com:80"),
        ] {
            let target = Target::parse(text, &names).ok().unwrap();
            let (address, _) = target.addresses().remove(0);
            assert_eq!(address.to_string(), shown);
            assert_eq!(target.name().is_some(), text.starts_with("Api"), "{text}");
        }
        assert!(Target::parse("nowhere", &names).is_err());
    }

    #[test]
    fn a_name_server_is_an_address_with_or_without_port() {
        let servers = |text: &str| name_servers(&Dns { nameservers: vec![text.to_owned()] });
        for (text, port) in [("192.0.2.1", 53), ("192.0.2.1:5353", 5353), ("[2001:db8::1]:1", 1), ("::1", 53)]
        {
            let found = servers(text).unwrap().remove(0);
            assert!(found.connections.iter().all(|connection| connection.port == port), "{text}");
        }
        assert!(servers("dns.example.com").unwrap_err().contains("dns.example.com"));
    }
}
