//! `mtls-auth`: recognises a consumer by the certificate that the client showed in the TLS handshake.
//!
//! The certificate was verified there, against the authorities that the `ssls` of the server name demand; this plugin only
//! says whose it is. APISIX has no plugin for that.

use super::entrance::Entrance;
use super::{Build, BuildContext, Flow, Plugin, Scheme};
use crate::exchange::Exchange;
use crate::generation::Identity;
use schemars::JsonSchema;
use serde::Deserialize;

const MISSING: &str = "Missing client certificate";
const WRONG: &str = "Invalid client certificate";

/// Lets in who has shown the client certificate of a consumer.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The consumer as which callers without such a certificate go on, which must exist; without it they are refused.
    anonymous_consumer: Option<String>,
}

/// A credential as the snapshot has it: exactly one of the two.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateConfig {
    /// The SHA-256 of the certificate, in lower-case hex digits.
    #[serde(default)]
    fingerprint: Option<String>,
    /// The subject's distinguished name, such as `CN=jack, O=Example`.
    #[serde(default)]
    subject: Option<String>,
}

/// What a consumer's certificate is recognised by: its fingerprint or its subject. No subject looks like a fingerprint,
/// for it has an equals sign.
pub struct Certificate(pub Box<str>);

impl Certificate {
    pub fn build(config: CertificateConfig) -> Result<Self, String> {
        match (config.fingerprint, config.subject) {
            (Some(text), None) if super::proof::decode_digest(&text).is_some() => {
                Ok(Self(text.to_ascii_lowercase().into()))
            }
            (Some(_), None) => Err("fingerprint: must be 64 hex digits".into()),
            (None, Some(text)) if text.contains('=') => Ok(Self(text.into())),
            (None, Some(_)) => Err("subject: must be a distinguished name, such as \"CN=jack\"".into()),
            _ => Err("fingerprint: expected one of fingerprint and subject".into()),
        }
    }
}

/// The plugin.
pub struct MtlsAuth {
    entrance: Entrance,
}

impl Build for MtlsAuth {
    type Config = Config;

    fn build(config: Config, _: &BuildContext<'_>) -> Result<Self, String> {
        // There is no authentication scheme for it; the word tells people what is asked for.
        Ok(Self { entrance: Entrance::new("mtls", "mtls", config.anonymous_consumer)? })
    }
}

impl Plugin for MtlsAuth {
    fn request(&self, exchange: &mut Exchange) -> Flow<'_> {
        let proven = proven(exchange);
        self.entrance.admit(exchange, proven).into()
    }
}

/// A certificate that is known by its fingerprint goes before one that is known by its subject.
fn proven(exchange: &Exchange) -> Result<Identity, &'static str> {
    let client = exchange.arrival.tls.as_ref().and_then(|tls| tls.client.as_ref()).ok_or(MISSING)?;
    let find = |by: &str| exchange.generation.consumers.find(Scheme::Certificate, by.as_bytes());
    let found = find(&client.fingerprint).or_else(|| find(&client.subject)).ok_or(WRONG)?;
    Ok(found.identity())
}

#[cfg(test)]
mod tests {
    use crate::exchange::Exchange;
    use crate::http::Response;
    use crate::plugins::testing::{Bench, body, get, username};
    use crate::server::tls::{ClientCertificate, TlsSession};
    use serde_json::{Value, json};
    use std::sync::Arc;

    fn run(
        credential: Value,
        config: Value,
        client: Option<ClientCertificate>,
    ) -> (Exchange, Option<Response>) {
        let bench = Bench::with_credential("mtls-auth", credential, json!({"mtls-auth": config}));
        let mut exchange = bench.exchange(get("/"));
        let session =
            TlsSession { version: "TLSv1.3", server_name: None, client, demand: None, is_http2: false };
        exchange.arrival.tls = Some(Arc::new(session));
        let response = bench.run(&mut exchange);
        (exchange, response)
    }

    fn shown() -> Option<ClientCertificate> {
        Some(ClientCertificate { subject: "CN=carol, O=Shop".into(), fingerprint: "ab".repeat(32) })
    }

    #[test]
    fn recognises_a_certificate_by_fingerprint_and_by_subject() {
        for credential in [json!({"fingerprint": "AB".repeat(32)}), json!({"subject": "CN=carol, O=Shop"})] {
            let (exchange, response) = run(credential, json!({}), shown());
            assert!(response.is_none());
            assert_eq!(username(&exchange), Some("carol"));
            assert_eq!(exchange.identity.as_ref().unwrap().credential.as_deref(), Some("carols"));
        }
    }

    #[test]
    fn refuses_other_certificates_and_none() {
        for (credential, client, message) in [
            (json!({"subject": "CN=carol"}), shown(), "Invalid client certificate"),
            (json!({"fingerprint": "cd".repeat(32)}), shown(), "Invalid client certificate"),
            (json!({"fingerprint": "ab".repeat(32)}), None, "Missing client certificate"),
        ] {
            let (exchange, response) = run(credential.clone(), json!({}), client.clone());
            let response = response.expect("a refusal");
            assert_eq!((response.status().as_u16(), body(&response)), (401, json!({"message": message})));
            assert!(exchange.identity.is_none());
            let (exchange, _) = run(credential, json!({"anonymous_consumer": "guest"}), client);
            assert_eq!(username(&exchange), Some("guest"));
        }
    }

    #[test]
    fn refuses_credentials_that_cannot_hold() {
        for (config, why) in [
            (json!({}), "expected one of fingerprint and subject"),
            (json!({"fingerprint": "ab".repeat(32), "subject": "CN=a"}), "expected one of"),
            (json!({"fingerprint": "ab"}), "64 hex digits"),
            (json!({"subject": "carol"}), "distinguished name"),
        ] {
            let credential = json!({"id": "c", "plugin": "mtls-auth", "config": config});
            let message = Bench::with_carol(&credential, json!({})).err().unwrap();
            assert!(message.contains(why), "{message}");
        }
    }
}
