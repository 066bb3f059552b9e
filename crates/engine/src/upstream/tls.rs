//! TLS towards upstreams: whose certificates are believed, what the gateway itself shows, and which name it asks for.
//!
//! Equal settings share one configuration, over upstreams and over swaps, and with it the sessions that are resumed.

use crate::snapshot::{PassHost, UpstreamDefinition, UpstreamTls};
use crate::tls::{PemError, authorities, certified_key, provider};
use aws_lc_rs::digest::{Context, SHA256};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

/// A JSON pointer below the upstream and what is wrong there.
pub type Problem = (String, String);

/// The configurations in use, by a digest of the settings that they were made from.
#[derive(Default)]
pub struct TlsClients(Mutex<HashMap<[u8; 32], Weak<ClientConfig>>>);

impl TlsClients {
    /// The configuration for an upstream: with certificates checked against `tls.ca` or else the system's authorities
    /// (`SSL_CERT_FILE` and `SSL_CERT_DIR` replace them), or not at all. `protocols` are offered by ALPN.
    ///
    /// # Errors
    /// What of the settings cannot be used, and where.
    pub fn config(
        &self,
        verify: bool,
        tls: Option<&UpstreamTls>,
        protocols: &[&[u8]],
    ) -> Result<Arc<ClientConfig>, Problem> {
        let key = digest(verify, tls, protocols);
        // Held while building, so that equal upstreams build once; the request path does not come here.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = known.get(&key).and_then(Weak::upgrade) {
            return Ok(config);
        }
        let mut config = build(verify, tls)?;
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        let config = Arc::new(config);
        known.retain(|_, config| config.strong_count() > 0);
        known.insert(key, Arc::downgrade(&config));
        Ok(config)
    }
}

/// What tells one upstream's settings from another's, also for pooled connections.
pub fn digest(verify: bool, tls: Option<&UpstreamTls>, protocols: &[&[u8]]) -> [u8; 32] {
    let certificate = tls.and_then(|tls| tls.certificate.as_ref());
    let parts = [
        tls.and_then(|tls| tls.ca.as_deref()),
        certificate.map(|pair| pair.cert.as_str()),
        certificate.map(|pair| pair.key.reveal()),
    ];
    let mut context = Context::new(&SHA256);
    context.update(&[u8::from(verify)]);
    for part in parts {
        // A length before each, so that parts cannot run into one another; none is unlike an empty one.
        context.update(&part.map_or(u64::MAX, |part| part.len() as u64).to_be_bytes());
        context.update(part.unwrap_or_default().as_bytes());
    }
    context.update(&protocols.join(&b' '));
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    digest
}

/// The name that a node must prove: `upstream_host` where that replaces Host, else the node's own. Unlike in APISIX it
/// is never the client's Host, which would let clients choose whom the gateway believes.
pub fn server_name(upstream: &UpstreamDefinition, host: &str) -> Result<ServerName<'static>, String> {
    let name = match (upstream.pass_host, upstream.upstream_host.as_deref()) {
        (PassHost::Rewrite, Some(host)) => without_port(host),
        _ => host,
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']').to_owned();
    ServerName::try_from(bare).map_err(|_| format!("{name:?} is not a name that TLS can ask for"))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, _)) if host.ends_with(']') || (name.contains(':') && !name.ends_with(']')) => host,
        Some((name, _)) => name,
        None => host,
    }
}

fn build(verify: bool, tls: Option<&UpstreamTls>) -> Result<ClientConfig, Problem> {
    let said = |error: rustls::Error| (String::new(), error.to_string());
    let builder = ClientConfig::builder_with_provider(provider());
    let builder = builder.with_safe_default_protocol_versions().map_err(said)?;
    let builder = if verify {
        builder.with_root_certificates(match tls.and_then(|tls| tls.ca.as_deref()) {
            Some(ca) => Arc::new(authorities(ca).map_err(|_| at("/tls/ca", PemError::Authority))?),
            None => system_authorities().map_err(|why| (String::new(), why))?,
        })
    } else {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider())))
    };
    let Some(pair) = tls.and_then(|tls| tls.certificate.as_ref()) else {
        return Ok(builder.with_no_client_auth());
    };
    let certified = certified_key(pair).map_err(|error| {
        at(if error.is_of_key() { "/tls/certificate/key" } else { "/tls/certificate/cert" }, error)
    })?;
    Ok(builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified))))
}

fn at(pointer: &str, error: PemError) -> Problem {
    (pointer.to_owned(), error.to_string())
}

fn system_authorities() -> Result<Arc<RootCertStore>, String> {
    static SYSTEM: OnceLock<Option<Arc<RootCertStore>>> = OnceLock::new();
    let load = || {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        (!roots.is_empty()).then(|| Arc::new(roots))
    };
    let found = SYSTEM.get_or_init(load).clone();
    found.ok_or_else(|| "no certificate authority was found on this system; set SSL_CERT_FILE".to_owned())
}

/// Takes any certificate, for upstreams with `tls.verify: false`. Signatures are still checked.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn settings(value: serde_json::Value) -> UpstreamTls {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn equal_settings_share_a_configuration_and_others_do_not() {
        let clients = TlsClients::default();
        let made = rcgen::generate_simple_self_signed(["a.test".to_owned()]).unwrap();
        let tls = settings(json!({"ca": made.cert.pem()}));
        let one = clients.config(true, Some(&tls), &[]).unwrap();
        assert!(Arc::ptr_eq(&one, &clients.config(true, Some(&tls.clone()), &[]).unwrap()));
        assert!(!Arc::ptr_eq(&one, &clients.config(false, Some(&tls), &[]).unwrap()));
        assert!(!Arc::ptr_eq(&one, &clients.config(true, Some(&tls), &[b"h2"]).unwrap()));
    }

    #[test]
    fn says_where_the_mistake_is() {
        let clients = TlsClients::default();
        let made = rcgen::generate_simple_self_signed(["a.test".to_owned()]).unwrap();
        for (tls, place) in [
            (json!({"ca": "x"}), "/tls/ca"),
            (json!({"certificate": {"cert": "x", "key": "y"}}), "/tls/certificate/cert"),
            (json!({"certificate": {"cert": made.cert.pem(), "key": "y"}}), "/tls/certificate/key"),
        ] {
            let ca = json!(made.cert.pem());
            let mut tls = tls;
            tls.as_object_mut().unwrap().entry("ca").or_insert(ca);
            assert_eq!(clients.config(true, Some(&settings(tls)), &[]).unwrap_err().0, place);
        }
    }

    #[test]
    fn a_host_loses_its_port_and_nothing_else() {
        for (host, name) in [
            ("a.test:8443", "a.test"),
            ("a.test", "a.test"),
            ("[::1]:443", "[::1]"),
            ("[::1]", "[::1]"),
            ("::1", "::1"),
        ] {
            assert_eq!(without_port(host), name);
        }
    }
}
