//! What a snapshot takes over of the generation that it replaces.

use super::super::Generation;
use crate::server::tls::{TlsEntry, TlsTable};
use crate::state::State;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use serde_json::{Value, json};
use std::sync::Arc;

fn ssl(id: &str, last_year: i32) -> Value {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([format!("{id}.test")]).unwrap();
    params.not_before = date_time_ymd(2001, 1, 1);
    params.not_after = date_time_ymd(last_year, 1, 1);
    let pair = json!({"cert": params.self_signed(&key).unwrap().pem(), "key": key.serialize_pem()});
    json!({"id": id, "snis": [format!("{id}.test")], "certificates": [pair], "protocols": ["TLSv1.3"]})
}

fn snapshot(ssls: &[&Value]) -> String {
    json!({"version": 1, "gateway": {"listen": [], "workers": 1}, "ssls": ssls}).to_string()
}

/// A generation with `ssl` in use as if it had been good when it came.
fn with_ssl(ssl: &Value, state: &Arc<State>) -> Generation {
    let (id, text) = (ssl["id"].as_str().unwrap(), ssl.to_string());
    let good = serde_json::from_value(self::ssl(id, 4000)).unwrap();
    let refuse = &mut |problem| panic!("{problem:?}");
    let entry = TlsEntry::build(&good, &text, &state.tickets, refuse).unwrap();
    let mut table = TlsTable::default();
    table.insert(entry, refuse);
    Generation { tls: Arc::new(table), ..Generation::default() }
}

fn config(generation: &Generation, name: &str) -> Arc<rustls::ServerConfig> {
    generation.tls.find(Some(name)).unwrap().config.clone()
}

#[test]
fn a_certificate_that_stays_is_not_built_again() {
    let state = Arc::default();
    let (stays, goes, renewed) = (ssl("a", 4000), ssl("b", 4000), ssl("b", 4000));
    let (_, before) = Generation::from_json(&snapshot(&[&stays, &goes]), &state).unwrap();
    let after = before.replaced(&snapshot(&[&renewed, &stays]), &state).unwrap();
    assert!(Arc::ptr_eq(&config(&before, "a.test"), &config(&after, "a.test")));
    assert!(!Arc::ptr_eq(&config(&before, "b.test"), &config(&after, "b.test")));
    assert!(after.replaced(&snapshot(&[&stays]), &state).unwrap().tls.find(Some("b.test")).is_none());
}

#[test]
fn a_certificate_that_expired_in_use_goes_on_and_a_new_one_that_has_expired_is_refused() {
    let state = Arc::default();
    let (expired, new) = (ssl("a", 2002), ssl("b", 2002));
    let before = with_ssl(&expired, &state);
    let after = before.replaced(&snapshot(&[&expired]), &state).unwrap();
    assert!(Arc::ptr_eq(&config(&before, "a.test"), &config(&after, "a.test")));
    let refused = before.replaced(&snapshot(&[&expired, &new]), &state).err().unwrap().problems;
    let why = "the certificate has expired; put in the renewed one".to_owned();
    assert_eq!(refused, [("/ssls/1/certificates/0/cert".to_owned(), why)]);
    assert!(Generation::from_json(&snapshot(&[&expired]), &state).is_err());
}
