//! Certificates by server name. A certificate that stays is built once, however often others come and go.

use super::TlsSession;
use super::client::{Demand, Verifier};
use super::tickets::Tickets;
use crate::snapshot::{ClientAuthentication, Ssl, TlsProtocol};
use crate::table::{Keyed, Table};
use crate::tls::{PemError, certified_key, provider};
use regex::RegexSet;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, SignatureAlgorithm, SupportedProtocolVersion};
use std::sync::Arc;

/// What clients of some server names get.
#[derive(Debug)]
pub struct TlsEntry {
    id: Box<str>,
    /// In lower case.
    names: Box<[Box<str>]>,
    is_default: bool,
    pub config: Arc<ServerConfig>,
    pub demand: Option<Demand>,
    /// Paths that are open to clients without a certificate.
    open: RegexSet,
}

/// All server names of a generation.
#[derive(Clone, Default)]
pub struct TlsTable {
    by_id: Table<Arc<TlsEntry>>,
    exact: Table<Named>,
    /// By what follows `*.`.
    wildcard: Table<Named>,
    default: Option<Arc<TlsEntry>>,
    /// Entries that demand a certificate.
    demands: usize,
}

/// A name of an entry, by its number among them.
#[derive(Clone)]
struct Named {
    entry: Arc<TlsEntry>,
    nth: usize,
}

impl Keyed for TlsEntry {
    fn key(&self) -> &[u8] {
        self.id.as_bytes()
    }
}

impl Keyed for Named {
    fn key(&self) -> &[u8] {
        let name = self.entry.names.get(self.nth).map_or("", |name| name);
        name.strip_prefix("*.").unwrap_or(name).as_bytes()
    }
}

/// A JSON pointer below one of the ssls and what is wrong there.
pub type TlsProblem = (String, String);

impl TlsTable {
    /// Builds `ssl` and puts it in; `problem` is told everything that is wrong.
    pub fn insert(&mut self, ssl: &Ssl, tickets: &Tickets, problem: &mut dyn FnMut(TlsProblem)) {
        let Some(entry) = TlsEntry::build(ssl, tickets, problem) else {
            return;
        };
        let entry = Arc::new(entry);
        let mut problem = |why: String| problem(("/snis".to_owned(), why));
        if entry.is_default && self.default.replace(entry.clone()).is_some() {
            problem("there are two default certificates".to_owned());
        }
        for (nth, name) in ssl.snis.iter().enumerate() {
            let named = Named { entry: entry.clone(), nth };
            if self.names(name).insert(named).is_some() {
                problem(format!("another of the ssls has the server name {name:?}"));
            }
        }
        self.demands += usize::from(entry.demand.is_some());
        self.by_id.insert(entry);
    }

    /// Takes out the entry of this id with its names, where there is one.
    pub fn remove(&mut self, id: &str) {
        let Some(entry) = self.by_id.remove(id) else {
            return;
        };
        for (nth, name) in entry.names.iter().enumerate() {
            self.names(name).remove(Named { entry: entry.clone(), nth }.key());
        }
        self.default.take_if(|_| entry.is_default);
        self.demands -= usize::from(entry.demand.is_some());
    }

    pub fn contains(&self, id: &str) -> bool {
        self.by_id.contains(id)
    }

    /// Where `name` is found.
    fn names(&mut self, name: &str) -> &mut Table<Named> {
        if name.starts_with("*.") { &mut self.wildcard } else { &mut self.exact }
    }

    /// What a client that asks for `name` gets: an exact name, then a wildcard for its first label (RFC 6125 section
    /// 6.4.3), then the default.
    pub fn find(&self, name: Option<&str>) -> Option<&Arc<TlsEntry>> {
        name.and_then(|name| self.named(name)).or(self.default.as_ref())
    }

    fn named(&self, name: &str) -> Option<&Arc<TlsEntry>> {
        let found = self.exact.get(name).or_else(|| self.wildcard.get(name.split_once('.')?.1));
        found.map(|named| &named.entry)
    }

    /// Whether a request for `host` may go on: a connection made for another name may carry it where the same
    /// certificates were demanded there, and a client without one may have only what is open.
    ///
    /// # Errors
    /// What is missing.
    pub fn check(&self, session: &TlsSession, host: &str, path: &str) -> Result<(), Unmet> {
        if self.demands == 0 {
            return Ok(());
        }
        let entry = self.find(Some(&host.to_ascii_lowercase()));
        let Some((entry, demand)) = entry.and_then(|entry| Some((entry, entry.demand?))) else {
            return Ok(());
        };
        match () {
            () if session.demand != Some(demand) => Err(Unmet::Connection),
            () if session.client.is_none() && !entry.open.is_match(path) => Err(Unmet::Certificate),
            () => Ok(()),
        }
    }
}

/// What a request lacks of what its host demands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unmet {
    /// Its connection was made for a name where this certificate was not asked for.
    Connection,
    /// The client was asked for a certificate, and showed none.
    Certificate,
}

impl TlsEntry {
    pub fn id(&self) -> &str {
        &self.id
    }

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
        let open = match open_paths(ssl.client.as_ref()) {
            Ok(open) => open,
            Err(error) => {
                problem(("/client/skip_paths".to_owned(), error.to_string()));
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
        Some(Self {
            id: ssl.id.as_str().into(),
            names: ssl.snis.iter().map(|name| name.to_ascii_lowercase().into()).collect(),
            is_default: ssl.default,
            config: Arc::new(config),
            demand,
            open,
        })
    }
}

fn open_paths(client: Option<&ClientAuthentication>) -> Result<RegexSet, regex::Error> {
    let patterns = client.map(|client| &*client.skip_paths).unwrap_or_default();
    // Each by itself too, since `a)|(b` would be an expression once it is wrapped.
    RegexSet::new(patterns)?;
    RegexSet::new(patterns.iter().map(|pattern| format!("^(?:{pattern})$")))
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

    fn ssl(id: &str, snis: &[&str], default: bool) -> Ssl {
        let key = rcgen::generate_simple_self_signed(["a.test".to_owned()]).unwrap();
        let pair = json!({"cert": key.cert.pem(), "key": key.signing_key.serialize_pem()});
        let ssl = json!({
            "id": id, "snis": snis, "default": default, "certificates": [pair], "protocols": ["TLSv1.3"],
        });
        serde_json::from_value(ssl).unwrap()
    }

    /// A table of ssls with the ids `0`, `1` and so on.
    fn table(names: &[(&[&str], bool)]) -> (TlsTable, Vec<TlsProblem>) {
        let (mut table, mut problems) = (TlsTable::default(), Vec::new());
        for (at, (snis, default)) in names.iter().enumerate() {
            let ssl = ssl(&at.to_string(), snis, *default);
            table.insert(&ssl, &Tickets::default(), &mut |problem| problems.push(problem));
        }
        (table, problems)
    }

    fn found<'a>(table: &'a TlsTable, name: Option<&str>) -> Option<&'a str> {
        table.find(name).map(|entry| &*entry.id)
    }

    #[test]
    fn finds_an_exact_name_before_a_wildcard_and_a_wildcard_for_one_label_only() {
        let (table, problems) = table(&[(&["*.A.test"], false), (&["b.a.test", "a.test"], false)]);
        assert_eq!(problems, []);
        for (name, expected) in [
            (Some("c.a.test"), Some("0")),
            (Some("b.a.test"), Some("1")),
            (Some("a.test"), Some("1")),
            (Some("d.c.a.test"), None),
            (Some("test"), None),
            (None, None),
        ] {
            assert_eq!(found(&table, name), expected, "{name:?}");
        }
    }

    #[test]
    fn what_is_taken_out_leaves_its_names_to_others_and_the_rest_as_it_was() {
        let (mut table, _) = table(&[(&["a.test", "*.b.test"], true), (&["c.test"], false)]);
        let before = table.clone();
        let kept = table.find(Some("c.test")).unwrap().config.clone();
        table.remove("0");
        let mut problems = Vec::new();
        table.insert(&ssl("2", &["*.b.test"], false), &Tickets::default(), &mut |problem| {
            problems.push(problem)
        });
        assert_eq!(problems, []);
        let names = [Some("a.test"), Some("x.b.test"), Some("c.test"), None];
        assert_eq!(names.map(|name| found(&table, name)), [None, Some("2"), Some("1"), None]);
        assert_eq!(names.map(|name| found(&before, name)), [Some("0"), Some("0"), Some("1"), Some("0")]);
        assert!(Arc::ptr_eq(&table.find(Some("c.test")).unwrap().config, &kept));
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
                "/snis: there are two default certificates",
                "/snis: another of the ssls has the server name \"A.test\"",
            ]
        );
    }
}
