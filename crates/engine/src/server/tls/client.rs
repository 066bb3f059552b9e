//! Clients that must show a certificate: whose certificates are taken, how long a chain, and who it was.

use crate::snapshot::ClientAuthentication;
use crate::tls::{PemError, authorities, provider};
use aws_lc_rs::digest::{Context, SHA256, digest};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
};
use std::fmt;
use std::sync::Arc;
use webpki::{EndEntityCert, KeyUsage, VerifiedPath};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

/// What is demanded of clients, as a digest: equal demands are met by the same certificates.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Demand(pub [u8; 32]);

/// A certificate that a client showed and that was verified.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    /// The subject's distinguished name, such as `CN=jack, O=Example`.
    pub subject: String,
    /// SHA-256 of the certificate, in lower-case hex digits.
    pub fingerprint: String,
}

impl ClientCertificate {
    /// Of a certificate in DER; none where it has expired meanwhile: a resumed session verifies nothing anew.
    pub fn of(der: &CertificateDer<'_>) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        if !certificate.validity().is_valid() {
            return None;
        }
        let fingerprint = digest(&SHA256, der);
        Some(Self {
            subject: certificate.subject().to_string(),
            fingerprint: fingerprint.as_ref().iter().map(|byte| format!("{byte:02x}")).collect(),
        })
    }
}

/// Takes certificates of the given authorities with at most `depth` intermediate ones.
pub struct Verifier {
    roots: RootCertStore,
    subjects: Vec<DistinguishedName>,
    depth: usize,
    /// Whether a client without a certificate gets no connection. Otherwise its paths decide, request by request.
    is_mandatory: bool,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    pub fn build(client: &ClientAuthentication) -> Result<(Arc<Self>, Demand), PemError> {
        let roots = authorities(&client.ca)?;
        let mut context = Context::new(&SHA256);
        context.update(&client.depth.to_be_bytes());
        context.update(client.ca.as_bytes());
        let mut demand = [0; 32];
        demand.copy_from_slice(context.finish().as_ref());
        let verifier = Self {
            subjects: roots.subjects(),
            roots,
            depth: client.depth,
            is_mandatory: client.skip_paths.is_empty(),
            algorithms: provider().signature_verification_algorithms,
        };
        Ok((Arc::new(verifier), Demand(demand)))
    }
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.subjects
    }

    fn client_auth_mandatory(&self) -> bool {
        self.is_mandatory
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let is_short = |path: &VerifiedPath<'_>| match path.intermediate_certificates().count() <= self.depth
        {
            true => Ok(()),
            false => Err(webpki::Error::MaximumPathDepthExceeded),
        };
        let certificate = EndEntityCert::try_from(certificate).map_err(refusal)?;
        let path = certificate.verify_for_usage(
            self.algorithms.all,
            &self.roots.roots,
            intermediates,
            now,
            KeyUsage::client_auth(),
            None,
            Some(&is_short),
        );
        path.map(|_| ClientCertVerified::assertion()).map_err(refusal)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// The alert that the client gets is chosen by this.
fn refusal(error: webpki::Error) -> Error {
    Error::InvalidCertificate(match error {
        webpki::Error::BadDer => CertificateError::BadEncoding,
        webpki::Error::CertExpired { .. } => CertificateError::Expired,
        webpki::Error::CertNotValidYet { .. } => CertificateError::NotValidYet,
        webpki::Error::UnknownIssuer => CertificateError::UnknownIssuer,
        webpki::Error::RequiredEkuNotFoundContext(_) => CertificateError::InvalidPurpose,
        _ => CertificateError::ApplicationVerificationFailure,
    })
}

impl fmt::Debug for Verifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Verifier({} authorities)", self.roots.len())
    }
}
