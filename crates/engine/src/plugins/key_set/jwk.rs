//! One key of a set (RFC 7518 section 6, RFC 8037): from its members, or from a SubjectPublicKeyInfo, to what verifies.

use crate::plugins::jwt_auth::token::{Algorithm, MINIMUM_RSA_BITS, VerifyingKey, decode};
use serde_json::Value;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey as Parsed;
use x509_parser::x509::SubjectPublicKeyInfo;

/// What RSA keys may be used for; those of RFC 7518 section 3.1.
const RSA: [Algorithm; 6] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
];
/// Exponents have so many bits at least (SP 800-56B, section 6.2) and at most.
const EXPONENT_BITS: std::ops::RangeInclusive<usize> = 17..=33;

type Verifiers = Vec<VerifyingKey>;

/// What the key verifies by; none where it is not for signatures, or not to be trusted.
pub fn verifiers(key: &Value, wanted: &[Algorithm]) -> Option<Verifiers> {
    let text = |name: &str| key.get(name).and_then(Value::as_str);
    // A private key that is published is everybody's.
    let is_private = ["d", "p", "q", "k", "oth"].iter().any(|name| key.get(*name).is_some());
    let is_for_signatures = key.get("use").is_none_or(|used| used == "sig")
        && key.get("key_ops").is_none_or(|operations| {
            operations.as_array().is_some_and(|all| all.iter().any(|operation| operation == "verify"))
        });
    if is_private || !is_for_signatures {
        return None;
    }
    let (bytes, of_type): (Vec<u8>, &[Algorithm]) = match (text("kty")?, text("crv")) {
        ("RSA", _) => (rsa(&decode(text("n")?.as_bytes())?, &decode(text("e")?.as_bytes())?)?, &RSA),
        ("EC", Some("P-256")) => (point(text("x")?, text("y")?, 32)?, &[Algorithm::ES256]),
        ("EC", Some("P-384")) => (point(text("x")?, text("y")?, 48)?, &[Algorithm::ES384]),
        ("EC", Some("P-521")) => (point(text("x")?, text("y")?, 66)?, &[Algorithm::ES512]),
        ("OKP", Some("Ed25519")) => {
            (decode(text("x")?.as_bytes()).filter(|x| x.len() == 32)?, &[Algorithm::EdDSA])
        }
        _ => return None,
    };
    let own: Option<Algorithm> = match key.get("alg") {
        None => None,
        Some(name) => Some(serde_json::from_value(name.clone()).ok()?),
    };
    let fitting = of_type.iter().filter(|algorithm| own.is_none_or(|own| own == **algorithm));
    let found = parsed(&bytes, fitting.filter(|algorithm| wanted.contains(algorithm)));
    (!found.is_empty()).then_some(found)
}

/// What a SubjectPublicKeyInfo verifies by.
pub fn of_info(der: &[u8], wanted: &[Algorithm]) -> Result<Verifiers, String> {
    let unfit =
        || "expected a public key of RSA, of the curves P-256, P-384 or P-521, or of Ed25519".to_owned();
    let (_, info) = SubjectPublicKeyInfo::from_der(der).map_err(|_| unfit())?;
    let of_type: &[Algorithm] = match info.parsed().map_err(|_| unfit())? {
        Parsed::RSA(key) if key.key_size() < MINIMUM_RSA_BITS => {
            return Err(format!("an RSA key has at least {MINIMUM_RSA_BITS} bits"));
        }
        Parsed::RSA(_) => &RSA,
        Parsed::EC(point) => match point.key_size() {
            256 => &[Algorithm::ES256],
            384 => &[Algorithm::ES384],
            _ => &[Algorithm::ES512],
        },
        _ => &[Algorithm::EdDSA],
    };
    let found = parsed(der, of_type.iter().filter(|algorithm| wanted.contains(algorithm)));
    match found.is_empty() {
        true => Err("the key does not fit the algorithms that are expected".into()),
        false => Ok(found),
    }
}

fn parsed<'a>(bytes: &[u8], algorithms: impl Iterator<Item = &'a Algorithm>) -> Verifiers {
    algorithms.filter_map(|algorithm| VerifyingKey::new(*algorithm, bytes)).collect()
}

/// A point that is not compressed (SEC 1, section 2.3.3).
fn point(x: &str, y: &str, length: usize) -> Option<Vec<u8>> {
    let (x, y) = (decode(x.as_bytes())?, decode(y.as_bytes())?);
    (x.len() == length && y.len() == length).then(|| [&[4], &*x, &*y].concat())
}

/// An RSAPublicKey (RFC 8017, appendix A.1.1), unless it is weak.
fn rsa(modulus: &[u8], exponent: &[u8]) -> Option<Vec<u8>> {
    if bits(modulus) < MINIMUM_RSA_BITS || !EXPONENT_BITS.contains(&bits(exponent)) {
        return None;
    }
    let members = [integer(modulus)?, integer(exponent)?].concat();
    element(0x30, &members)
}

fn bits(number: &[u8]) -> usize {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let leading = number.get(zeros).map_or(0, |byte| byte.leading_zeros() as usize);
    (number.len() - zeros) * 8 - leading
}

/// A positive INTEGER in DER (X.690, section 8.3).
fn integer(number: &[u8]) -> Option<Vec<u8>> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let digits = number.get(zeros..)?;
    let sign: &[u8] = if digits.first()? & 0x80 == 0 { &[] } else { &[0] };
    element(0x02, &[sign, digits].concat())
}

fn element(tag: u8, content: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(content.len()).ok()?;
    let [high, low] = length.to_be_bytes();
    let head = match length {
        0..0x80 => vec![tag, low],
        0x80..0x100 => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    Some([&head, content].concat())
}
