//! What TLS towards clients and towards upstreams have in common: the cryptography, certificates and keys from PEM,
//! and authorities. Listeners use it through `server::tls`, upstreams through `upstream::tls`.

mod certificate;

pub use certificate::{PemError, authorities, certified_key};

use rustls::crypto::CryptoProvider;
use std::sync::{Arc, OnceLock};

/// The algorithms, made once.
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER.get_or_init(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider())).clone()
}
