//! Certificates by server name, built once for each generation.

use super::client::{Demand, Verifier};
use super::tickets::Tickets;
use crate::snapshot::{Ssl, TlsProtocol};
use crate::tls::{PemError, certified_key, provider};
use aws_lc_rs::digest::{Context, SHA256};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, SignatureAlgorithm, SupportedProtocolVersion};
use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// What clients of some server names get.
#[derive(Debug)]
pub struct TlsEntry {
    pub config: Arc<ServerConfig>,
    pub demand: Option<Demand>,
}

/// What clients get, by a digest of the settings that it was made from: a swap builds only what is new.
#[derive(Default)]
pub struct TlsEntries(Mutex<HashMap<[u8; 32], Weak<TlsEntry>>>);

/// All server names of a generation.
#[derive(Debug, Default)]
pub struct TlsTable {
    exact: HashMap<Box<str>, Arc<TlsEntry>>,
    /// By what follows `*.`.
    wildcard: HashMap<Box<str>, Arc<TlsEntry>>,
    default: Option<Arc<TlsEntry>>,
    has_demands: bool,
}

/// A JSON pointer below the `ssls` section and what is wrong there.
pub type TlsProblem = (String, String);

impl TlsTable {
    /// Builds the table, with what `known` has already; `problem` is told everything that is wrong.
    pub fn build(
        ssls: &[Ssl],
        known: &TlsEntries,
        tickets: &Tickets,
        problem: &mut dyn FnMut(TlsProblem),
    ) -> Self {
        let mut table = Self::default();
        for (index, ssl) in ssls.iter().enumerate() {
            let below = &mut |(at, why): TlsProblem| problem((format!("/{index}{at}"), why));
            if let Some(entry) = known.entry(ssl, tickets, below) {
                table.insert(ssl, entry, &mut |why| problem((format!("/{index}/snis"), why)));
            }
        }
        table
    }

    fn insert(&mut self, ssl: &Ssl, entry: Arc<TlsEntry>, problem: &mut dyn FnMut(String)) {
        self.has_demands |= entry.demand.is_some();
        if ssl.default && self.default.replace(entry.clone()).is_some() {
            problem("there are two default certificates".to_owned());
        }
        for name in &ssl.snis {
            let lower = name.to_ascii_lowercase();
            let slot = match lower.strip_prefix("*.") {
                Some(rest) => self.wildcard.entry(rest.into()),
                None => self.exact.entry(lower.into()),
            };
            match slot {
                Slot::Vacant(slot) => drop(slot.insert(entry.clone())),
                Slot::Occupied(_) => problem(format!("another of the ssls has the server name {name:?}")),
            }
        }
    }

    /// What a client that asks for `name` gets: an exact name, then a wildcard for its first label (RFC 6125 section
    /// 6.4.3), then the default.
    pub fn find(&self, name: Option<&str>) -> Option<&Arc<TlsEntry>> {
        name.and_then(|name| self.named(name)).or(self.default.as_ref())
    }

    fn named(&self, name: &str) -> Option<&Arc<TlsEntry>> {
        self.exact.get(name).or_else(|| self.wildcard.get(name.split_once('.')?.1))
    }

    /// What is demanded of clients that send requests for `host`. A connection made for another name may not carry
    /// them unless the same was demanded there.
    pub fn demand(&self, host: &str) -> Option<Demand> {
        if !self.has_demands {
            return None;
        }
        self.find(Some(&host.to_ascii_lowercase()))?.demand
    }
}

impl TlsEntries {
    /// The entry for `ssl`. A certificate that has expired since it was read goes on until it is exchanged, so that it
    /// holds up no other change.
    fn entry(
        &self,
        ssl: &Ssl,
        tickets: &Tickets,
        problem: &mut dyn FnMut(TlsProblem),
    ) -> Option<Arc<TlsEntry>> {
        let key = digest(ssl);
        // Only whoever swaps comes here.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = known.get(&key).and_then(Weak::upgrade) {
            return Some(entry);
        }
        let entry = Arc::new(TlsEntry::build(ssl, tickets, problem)?);
        known.retain(|_, entry| entry.strong_count() > 0);
        known.insert(key, Arc::downgrade(&entry));
        Some(entry)
    }
}

/// Of all that an entry is made from; server names choose between entries and are no part of them.
fn digest(ssl: &Ssl) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    // A length before each, so that parts cannot run into one another.
    let mut add = |part: &str| {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    };
    for pair in &ssl.certificates {
        add(&pair.cert);
        add(pair.key.reveal());
    }
    add("");
    for protocol in &ssl.protocols {
        add(&format!("{protocol:?}"));
    }
    if let Some(client) = &ssl.client {
        add(&client.depth.to_string());
        add(&client.ca);
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    digest
}

impl TlsEntry {
    fn build(ssl: &Ssl, tickets: &Tickets, problem: &mut dyn FnMut(TlsProblem)) -> Option<Self> {
        let mut keys = Vec::with_capacity(ssl.certificates.len());
        let mut is_whole = true;
        for (nth, pair) in ssl.certificates.iter().enumerate() {
            match certified_key(pair) {
                Ok(key) => keys.push(Arc::new(key)),
                Err(error) => {
                    let field = if error.is_of_key() { "key" } else { "cert" };
                    problem((format!("/certificates/{nth}/{field}"), error.to_string()));
                    is_whole = false;
                }
            }
        }
        let client = match ssl.client.as_ref().map(Verifier::build).transpose() {
            Ok(client) => client,
            Err(error) => {
                let why = if error == PemError::Certificate { PemError::Authority } else { error };
                problem(("/client/ca".to_owned(), why.to_string()));
                return None;
            }
        };
        if keys.is_empty() || !is_whole {
            return None;
        }
        // The smaller signatures first, for clients that take either.
        keys.sort_by_key(|key| key.key.algorithm() == SignatureAlgorithm::RSA);
        let demand = client.as_ref().map(|(_, demand)| *demand);
        let versions: Vec<&'static SupportedProtocolVersion> = ssl.protocols.iter().map(version).collect();
        let builder = match ServerConfig::builder_with_provider(provider()).with_protocol_versions(&versions)
        {
            Ok(builder) => builder,
            Err(error) => {
                problem(("/protocols".to_owned(), error.to_string()));
                return None;
            }
        };
        let builder = match client {
            Some((verifier, _)) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(Arc::new(Choice(keys)));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        if let Some(tickets) = tickets.bound(demand) {
            config.ticketer = tickets;
        }
        Some(Self { config: Arc::new(config), demand })
    }
}

fn version(protocol: &TlsProtocol) -> &'static SupportedProtocolVersion {
    match protocol {
        TlsProtocol::Tls12 => &rustls::version::TLS12,
        TlsProtocol::Tls13 => &rustls::version::TLS13,
    }
}

/// Certificates for the same names; the first that the client can check.
#[derive(Debug)]
struct Choice(Vec<Arc<CertifiedKey>>);

impl ResolvesServerCert for Choice {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let can_check = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(hello.signature_schemes()).is_some();
        self.0.iter().find(can_check).or_else(|| self.0.first()).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn table(names: &[(&[&str], bool)]) -> (TlsTable, Vec<TlsProblem>) {
        let mut ssls = Vec::new();
        for (snis, default) in names {
            let key = rcgen::generate_simple_self_signed(["a.test".to_owned()]).unwrap();
            let pair = json!({"cert": key.cert.pem(), "key": key.signing_key.serialize_pem()});
            let ssl = json!({
                "id": "s", "snis": snis, "default": default, "certificates": [pair], "protocols": ["TLSv1.3"],
            });
            ssls.push(serde_json::from_value(ssl).unwrap());
        }
        let mut problems = Vec::new();
        let table = TlsTable::build(&ssls, &TlsEntries::default(), &Tickets::default(), &mut |problem| {
            problems.push(problem)
        });
        (table, problems)
    }

    #[test]
    fn finds_an_exact_name_before_a_wildcard_and_a_wildcard_for_one_label_only() {
        let (table, problems) = table(&[(&["*.A.test"], false), (&["b.a.test", "a.test"], false)]);
        assert_eq!(problems, []);
        let wild = table.wildcard.get("a.test").unwrap();
        let exact = table.exact.get("a.test").unwrap();
        for (name, expected) in [
            (Some("c.a.test"), Some(wild)),
            (Some("b.a.test"), Some(exact)),
            (Some("a.test"), Some(exact)),
            (Some("d.c.a.test"), None),
            (Some("test"), None),
            (None, None),
        ] {
            assert!(table.find(name).map(Arc::as_ptr) == expected.map(Arc::as_ptr), "{name:?}");
        }
    }

    #[test]
    fn gives_the_default_to_whoever_names_nothing_known() {
        let (table, _) = table(&[(&["a.test"], true)]);
        assert!(table.find(None).is_some() && table.find(Some("z.test")).is_some());
    }

    #[test]
    fn refuses_a_name_that_stands_twice() {
        let (_, problems) = table(&[(&["a.test"], true), (&["A.test"], true)]);
        let told: Vec<_> = problems.iter().map(|(at, why)| format!("{at}: {why}")).collect();
        assert_eq!(
            told,
            [
                "/1/snis: there are two default certificates",
                "/1/snis: another of the ssls has the server name \"A.test\"",
            ]
        );
    }

    fn ssl(cert: &str, key: &str, protocol: &str) -> Ssl {
        let pair = json!({"cert": cert, "key": key});
        let ssl = json!({"id": "s", "snis": ["a.test"], "certificates": [pair], "protocols": [protocol]});
        serde_json::from_value(ssl).unwrap()
    }

    #[test]
    fn a_swap_builds_only_the_certificates_that_have_changed() {
        let (known, tickets) = (TlsEntries::default(), Tickets::default());
        let made = || rcgen::generate_simple_self_signed(["a.test".to_owned()]).unwrap();
        let (old, new) = (made(), made());
        let entry = |pair: &rcgen::CertifiedKey<rcgen::KeyPair>, protocol: &str| {
            let ssls = [ssl(&pair.cert.pem(), &pair.signing_key.serialize_pem(), protocol)];
            let table = TlsTable::build(&ssls, &known, &tickets, &mut |problem| panic!("{problem:?}"));
            table.exact.get("a.test").unwrap().clone()
        };
        let first = entry(&old, "TLSv1.3");
        assert!(Arc::ptr_eq(&first, &entry(&old, "TLSv1.3")));
        assert!(!Arc::ptr_eq(&first, &entry(&old, "TLSv1.2")));
        assert!(!Arc::ptr_eq(&first, &entry(&new, "TLSv1.3")));
        drop(first);
        entry(&new, "TLSv1.3");
        assert_eq!(known.0.lock().unwrap().values().filter(|entry| entry.strong_count() > 0).count(), 0);
    }
}
