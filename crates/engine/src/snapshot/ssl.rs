//! Certificates by server name, for the TLS listeners, and private keys as a type that cannot be printed.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What the TLS listeners show to clients that ask for one of `snis`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Ssl {
    pub id: String,
    /// Server names, exact or `*.example.com` (one label); empty only where `default` is true.
    #[serde(default)]
    pub snis: Vec<String>,
    /// Whether clients get it that name no server, or one that nobody has.
    #[serde(default)]
    pub default: bool,
    /// At least one; where there are several, the client's signature algorithms decide.
    pub certificates: Vec<Certificate>,
    /// Set: clients must show a certificate, in the handshake unless `skip_paths` lets some do without.
    #[serde(default)]
    pub client: Option<ClientAuthentication>,
    /// At least one.
    pub protocols: Vec<TlsProtocol>,
}

/// A certificate with its intermediates, and its key.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// PEM, the certificate itself first.
    pub cert: String,
    pub key: PrivateKey,
}

/// Whose certificates are taken from clients.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ClientAuthentication {
    /// PEM of the authorities.
    pub ca: String,
    /// Certificates that may stand between the client's and an authority.
    pub depth: usize,
    /// Regular expressions for paths that need no certificate; one must match the whole path.
    #[serde(default)]
    pub skip_paths: Vec<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum TlsProtocol {
    #[serde(rename = "TLSv1.2")]
    Tls12,
    #[serde(rename = "TLSv1.3")]
    Tls13,
}

/// A private key in PEM.
#[derive(Clone, Deserialize, Serialize)]
#[serde(transparent)]
pub struct PrivateKey(String);

impl PrivateKey {
    /// The PEM text, for building only.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}
