//! `request-id`: gives every request an id, which the upstream, the client and the access log all see.
//!
//! Fields are Apache APISIX's. An id that the client sends is kept where it is short and printable, so that a trace can
//! begin before the gateway. Random bytes come from aws-lc's generator, as TLS's do, but many at a time: one call for a
//! hundred ids costs little more than one for a single id.

use super::{Build, BuildContext, Flow, Plugin};
use crate::exchange::Exchange;
use crate::http::headers::is_of_connection;
use ::http::{HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::Deserialize;
use std::cell::RefCell;

/// The longest id that is taken from a client.
const LONGEST: usize = 128;
const NANOID_LENGTH: usize = 21;
const NANOID_ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

/// Gives every request an id.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The header that carries the id, in the request and the response.
    header_name: String,
    /// Whether the response carries the id too.
    include_in_response: bool,
    /// How ids are made.
    algorithm: Algorithm,
    /// How `range_id` makes ids.
    range_id: Range,
}

/// How ids are made.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Algorithm {
    /// A random UUID (RFC 9562, version 4).
    Uuid,
    /// 21 random letters, digits, `_` and `-`.
    Nanoid,
    /// Random characters of `range_id.char_set`.
    RangeId,
}

/// Random characters of a set.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Range {
    /// The characters to choose from: 6 or more, visible ASCII.
    #[schemars(length(min = 6))]
    char_set: String,
    /// How many are chosen, 6 to 128.
    #[schemars(range(min = 6, max = 128))]
    length: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            header_name: "X-Request-Id".into(),
            include_in_response: true,
            algorithm: Algorithm::Uuid,
            range_id: Range::default(),
        }
    }
}

impl Default for Range {
    fn default() -> Self {
        let letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
        Self { char_set: letters.into(), length: 16 }
    }
}

/// The plugin.
pub struct RequestId {
    header: HeaderName,
    include_in_response: bool,
    maker: Maker,
}

enum Maker {
    Uuid,
    Choice { alphabet: Vec<u8>, length: usize },
}

impl Build for RequestId {
    type Config = Config;

    fn build(config: Config, _: &BuildContext<'_>) -> Result<Self, String> {
        let header: HeaderName = config
            .header_name
            .parse()
            .map_err(|_| format!("header_name: {:?} is not a valid header name", config.header_name))?;
        if is_of_connection(&header) || header == ::http::header::HOST {
            return Err(format!("header_name: {header} cannot carry an id, because HTTP itself uses it"));
        }
        let Range { char_set, length } = config.range_id;
        if char_set.len() < 6 || char_set.len() > 256 || !is_sane(char_set.as_bytes(), 256) {
            return Err("range_id.char_set: must have 6 to 256 visible ASCII characters".into());
        }
        if !(6..=LONGEST).contains(&length) {
            return Err(format!("range_id.length: must be from 6 to {LONGEST}, and is {length}"));
        }
        Ok(Self {
            header,
            include_in_response: config.include_in_response,
            maker: match config.algorithm {
                Algorithm::Uuid => Maker::Uuid,
                Algorithm::Nanoid => {
                    Maker::Choice { alphabet: NANOID_ALPHABET.to_vec(), length: NANOID_LENGTH }
                }
                Algorithm::RangeId => Maker::Choice { alphabet: char_set.into_bytes(), length },
            },
        })
    }
}

impl Plugin for RequestId {
    fn request(&self, exchange: &mut Exchange) -> Flow<'_> {
        let headers = &mut exchange.request.headers;
        let kept = headers.get(&self.header).filter(|value| is_sane(value.as_bytes(), LONGEST)).cloned();
        let Some(value) = kept.or_else(|| HeaderValue::try_from(self.maker.make()).ok()) else {
            return Flow::Continue;
        };
        exchange.record.request_id = value.to_str().ok().map(str::to_owned);
        if self.include_in_response {
            exchange.response_headers.insert(self.header.clone(), value.clone());
        }
        headers.insert(self.header.clone(), value);
        Flow::Continue
    }
}

fn is_sane(id: &[u8], longest: usize) -> bool {
    (1..=longest).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
}

impl Maker {
    fn make(&self) -> String {
        match self {
            Maker::Uuid => uuid(random()),
            Maker::Choice { alphabet, length } => choose(alphabet, *length),
        }
    }
}

/// A UUID of version 4 and the variant of RFC 9562, sections 4.1, 4.2 and 5.4.
fn uuid(random: [u8; 16]) -> String {
    let number = u128::from_be_bytes(random) & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let mut text = String::with_capacity(36);
    for position in 0..32 {
        if matches!(position, 8 | 12 | 16 | 20) {
            text.push('-');
        }
        let digit = (number >> (124 - 4 * position)) as u32 & 0xf;
        text.push(char::from_digit(digit, 16).unwrap_or('0'));
    }
    text
}

/// Each character is as likely as any other: bytes beyond the last whole multiple of the alphabet's size are left out.
fn choose(alphabet: &[u8], length: usize) -> String {
    let fair = 256 - 256 % alphabet.len();
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let usable = random::<16>().into_iter().map(usize::from).filter(|byte| *byte < fair);
        let letters = usable.filter_map(|byte| alphabet.get(byte % alphabet.len()));
        text.extend(letters.map(|letter| char::from(*letter)).take(length - text.len()));
    }
    text
}

/// Random bytes from the thread's stock, which is filled anew when it runs out.
fn random<const N: usize>() -> [u8; N] {
    struct Stock {
        bytes: [u8; 2048],
        left: usize,
    }
    thread_local! {
        static STOCK: RefCell<Stock> = const { RefCell::new(Stock { bytes: [0; 2048], left: 0 }) };
    }
    STOCK.with_borrow_mut(|stock| {
        if stock.left < N && aws_lc_rs::rand::fill(&mut stock.bytes).is_ok() {
            stock.left = stock.bytes.len();
        }
        stock.left = stock.left.saturating_sub(N);
        let taken = stock.bytes.get(stock.left..).and_then(<[u8]>::first_chunk::<N>);
        taken.copied().unwrap_or([0; N])
    })
}

#[cfg(test)]
mod tests {
    use crate::exchange::Exchange;
    use crate::plugins::testing::{Bench, get};
    use serde_json::{Value, json};
    use std::collections::HashSet;

    fn run(config: Value, request: http::request::Builder) -> Exchange {
        let bench = Bench::new(json!({"request-id": config}));
        let mut exchange = bench.exchange(request);
        assert!(bench.run(&mut exchange).is_none());
        exchange
    }

    fn id(config: Value) -> String {
        run(config, get("/")).record.request_id.clone().expect("an id")
    }

    #[test]
    fn makes_an_id_for_the_upstream_the_client_and_the_record() {
        let exchange = run(json!({}), get("/"));
        let id = exchange.record.request_id.clone().expect("an id");
        assert_eq!(exchange.request.headers["x-request-id"], id);
        assert_eq!(exchange.response_headers["x-request-id"], id);
    }

    #[test]
    fn a_uuid_is_of_version_4() {
        let pattern =
            regex::Regex::new("^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
                .unwrap();
        for _ in 0..300 {
            let id = id(json!({"algorithm": "uuid"}));
            assert!(pattern.is_match(&id), "{id}");
        }
        assert_eq!(super::uuid([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(super::uuid([0; 16]), "00000000-0000-4000-8000-000000000000");
    }

    #[test]
    fn the_other_algorithms_choose_from_their_letters() {
        let nanoid = id(json!({"algorithm": "nanoid"}));
        assert!(
            nanoid.len() == 21 && nanoid.bytes().all(|byte| super::NANOID_ALPHABET.contains(&byte)),
            "{nanoid}"
        );
        let range = id(json!({"algorithm": "range_id"}));
        assert!(range.len() == 16 && range.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{range}");
        let config = json!({"algorithm": "range_id", "range_id": {"char_set": "abcdef", "length": 100}});
        let range = id(config);
        assert!(range.len() == 100 && range.bytes().all(|byte| b"abcdef".contains(&byte)), "{range}");
    }

    #[test]
    fn no_two_ids_are_the_same() {
        for algorithm in ["uuid", "nanoid", "range_id"] {
            let bench = Bench::new(json!({"request-id": {"algorithm": algorithm}}));
            let ids = (0..1000).map(|_| {
                let mut exchange = bench.exchange(get("/"));
                bench.run(&mut exchange);
                exchange.record.request_id.clone()
            });
            assert_eq!(ids.collect::<HashSet<_>>().len(), 1000);
        }
    }

    #[test]
    fn keeps_a_sane_id_of_the_client() {
        let longest = "x".repeat(128);
        for kept in ["abc-123", "!~", &longest] {
            let exchange = run(json!({}), get("/").header("X-Request-Id", kept));
            assert_eq!(exchange.record.request_id.as_deref(), Some(kept));
            assert_eq!(exchange.response_headers["x-request-id"], *kept);
        }
    }

    #[test]
    fn replaces_an_id_that_is_not_sane() {
        let too_long = "x".repeat(129);
        for sent in ["", "a b", "a\tb", "caf\u{e9}", &too_long] {
            let exchange = run(json!({}), get("/").header("X-Request-Id", sent));
            assert_eq!(exchange.record.request_id.as_deref().map(str::len), Some(36), "{sent:?}");
            assert_eq!(exchange.request.headers.get_all("x-request-id").iter().count(), 1);
        }
    }

    #[test]
    fn uses_the_header_that_the_configuration_names() {
        let config = json!({"header_name": "X-Trace", "include_in_response": false});
        let exchange = run(config, get("/").header("x-request-id", "a").header("x-trace", "b"));
        assert_eq!(exchange.record.request_id.as_deref(), Some("b"));
        assert!(exchange.response_headers.is_empty());
    }

    #[test]
    fn refuses_settings_that_cannot_hold() {
        let wrong = [
            (json!({"header_name": "a b"}), "not a valid header name"),
            (json!({"header_name": "Connection"}), "cannot carry an id"),
            (json!({"algorithm": "snowflake"}), "unknown variant `snowflake`"),
            (json!({"range_id": {"char_set": "abcde"}}), "6 to 256 visible"),
            (json!({"range_id": {"char_set": "abc def"}}), "6 to 256 visible"),
            (json!({"range_id": {"length": 5}}), "from 6 to 128"),
            (json!({"header": "x"}), "unknown field `header`"),
        ];
        for (config, why) in wrong {
            let message = Bench::problem(json!({"request-id": config}));
            assert!(message.contains(why), "{config}: {message}");
        }
    }
}
