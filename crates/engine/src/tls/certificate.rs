//! Certificates, keys and authorities from PEM, refused in words that say what to mend and never show a key.

use super::provider;
use crate::snapshot::Certificate;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::time::{SystemTime, UNIX_EPOCH};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

/// Why a certificate, its key or an authority cannot be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PemError {
    #[error("this is not a certificate in PEM: it must begin with -----BEGIN CERTIFICATE-----")]
    Certificate,
    #[error("the certificate has expired; put in the renewed one")]
    Expired,
    #[error("this is not a private key in PEM: PKCS#8, PKCS#1 and SEC1 without a passphrase are read")]
    Key,
    #[error(
        "the private key is of a kind or size that is not served: RSA of 2,048 bits or more, P-256, P-384, P-521 and Ed25519 are"
    )]
    KeyKind,
    #[error("the private key is not that of the certificate")]
    Mismatch,
    #[error("there is no usable certificate authority in this PEM")]
    Authority,
}

impl PemError {
    /// Whether it is the key that has to be mended.
    pub fn is_of_key(self) -> bool {
        matches!(self, PemError::Key | PemError::KeyKind | PemError::Mismatch)
    }
}

/// The certificate with its key, ready to sign.
///
/// # Errors
/// What cannot be read, has expired, or does not belong together.
pub fn certified_key(pair: &Certificate) -> Result<CertifiedKey, PemError> {
    let chain = certificates(&pair.cert)?;
    let (_, leaf) =
        chain.first().and_then(|leaf| X509Certificate::from_der(leaf).ok()).ok_or(PemError::Certificate)?;
    if leaf.validity().not_after.timestamp() < now() {
        return Err(PemError::Expired);
    }
    let key = PrivateKeyDer::from_pem_slice(pair.key.reveal().as_bytes()).map_err(|_| PemError::Key)?;
    let key = provider().key_provider.load_private_key(key).map_err(|_| PemError::KeyKind)?;
    let certified = CertifiedKey::new(chain, key);
    certified.keys_match().map_err(|_| PemError::Mismatch)?;
    Ok(certified)
}

/// The authorities in `pem`, at least one.
///
/// # Errors
/// What cannot be read.
pub fn authorities(pem: &str) -> Result<RootCertStore, PemError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem)? {
        roots.add(certificate).map_err(|_| PemError::Authority)?;
    }
    Ok(roots)
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(PemError::Certificate),
    }
}

/// Seconds since 1970, as X.509 validity is compared.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    fn pair(cert: &str, key: &str) -> Certificate {
        serde_json::from_value(serde_json::json!({"cert": cert, "key": key})).unwrap()
    }

    fn made(change: impl FnOnce(&mut CertificateParams)) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["a.test".to_owned()]).unwrap();
        change(&mut params);
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    #[test]
    fn takes_a_certificate_with_its_key() {
        let (cert, key) = made(|_| {});
        assert!(certified_key(&pair(&cert, &key)).is_ok());
    }

    #[test]
    fn refuses_a_key_of_another_certificate() {
        let ((cert, _), (_, key)) = (made(|_| {}), made(|_| {}));
        assert_eq!(certified_key(&pair(&cert, &key)).unwrap_err(), PemError::Mismatch);
    }

    #[test]
    fn refuses_a_certificate_that_has_expired() {
        let (cert, key) = made(|params| {
            params.not_before = date_time_ymd(2001, 1, 1);
            params.not_after = date_time_ymd(2002, 1, 1);
        });
        assert_eq!(certified_key(&pair(&cert, &key)).unwrap_err(), PemError::Expired);
    }

    #[test]
    fn refuses_what_is_no_pem_and_shows_nothing_of_a_key() {
        let (cert, key) = made(|_| {});
        assert_eq!(certified_key(&pair("x", &key)).unwrap_err(), PemError::Certificate);
        let wrong = pair(&cert, "sesame");
        let error = certified_key(&wrong).unwrap_err();
        assert_eq!(error, PemError::Key);
        assert!(!format!("{wrong:?} {error:?} {error}").contains("sesame"));
        assert_eq!(authorities("x").unwrap_err(), PemError::Certificate);
    }
}
