//! How a caller is refused: what is wrong, which scopes it takes, and where a client learns who gives tokens (RFC 6750
//! section 3, RFC 9728 section 5.1).

use super::Refused;
use super::claims::Wrong;
use super::config::Config;
use crate::error::{CODE_HEADER, Kind, json_response, refusal};
use crate::http::Response;
use ::http::header::WWW_AUTHENTICATE;
use ::http::{HeaderValue, StatusCode};
use serde_json::json;

/// The challenge of one place.
pub struct Challenge {
    /// `Bearer realm="...", resource_metadata="..."`.
    start: String,
    /// `, scope="..."`, or nothing.
    scope: String,
    scopes: String,
}

impl Challenge {
    pub fn build(config: &Config) -> Result<Self, String> {
        let is_quotable =
            |text: &str| text.bytes().all(|byte| matches!(byte, b' '..=b'~') && !b"\"\\".contains(&byte));
        if !is_quotable(&config.realm) {
            return Err("realm: must be printable text without quotes or backslashes".into());
        }
        let mut start = format!("Bearer realm=\"{}\"", config.realm);
        if let Some(url) = &config.resource_metadata {
            let is_url = url.starts_with("https://") || url.starts_with("http://");
            if !is_url || !is_quotable(url) || url.contains(' ') {
                return Err("resource_metadata: expected an absolute URL".into());
            }
            start.push_str(&format!(", resource_metadata=\"{url}\""));
        }
        let scopes = &config.required_scopes;
        let scope =
            if scopes.is_empty() { String::new() } else { format!(", scope=\"{}\"", scopes.join(" ")) };
        Ok(Self { start, scope, scopes: scopes.join(", ") })
    }

    pub fn response(&self, refused: &Refused) -> Response {
        let (mut response, error) = match refused {
            Refused::Nothing => {
                (refusal(StatusCode::UNAUTHORIZED, "No bearer token found in request."), String::new())
            }
            Refused::Wrong(Wrong::Token(why)) => (
                refusal(StatusCode::UNAUTHORIZED, why),
                format!(", error=\"invalid_token\", error_description=\"{why}\""),
            ),
            Refused::Wrong(Wrong::Scope) => {
                let text = format!("required scopes {} not present", self.scopes);
                let response = json_response(StatusCode::FORBIDDEN, &json!({"error": text}));
                (response, ", error=\"insufficient_scope\"".to_owned())
            }
            Refused::NoConsumer => {
                return refusal(StatusCode::FORBIDDEN, "The token's holder is no consumer of this gateway");
            }
            Refused::Unknown(_) => {
                let why = "The identity provider could not be asked about the token, try again later";
                let mut response = refusal(StatusCode::SERVICE_UNAVAILABLE, why);
                let code = HeaderValue::from_static(Kind::OutboundFailed.code());
                response.headers_mut().insert(CODE_HEADER, code);
                return response;
            }
        };
        // All of it was checked to be printable when it was built.
        if let Ok(value) = HeaderValue::try_from(format!("{}{error}{}", self.start, self.scope)) {
            response.headers_mut().insert(WWW_AUTHENTICATE, value);
        }
        response
    }
}
