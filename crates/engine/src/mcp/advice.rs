//! What a refused or failed call tells the model: the status in words, and what to do about it.

use crate::error::CODE_HEADER;
use ::http::{HeaderMap, HeaderName, Method, StatusCode, header};

/// Bytes of a challenge that is told to clients, and how many there are at most.
const LONGEST_CHALLENGE: usize = 2000;
const MOST_CHALLENGES: usize = 4;

/// What is known of the call beside the answer.
pub struct Called<'a> {
    pub method: &'a Method,
    /// Headers in which the operation wants a credential, and whether the caller's request had one of them.
    pub credential_headers: &'a [HeaderName],
    pub had_credential: bool,
}

/// `HTTP 404 Not Found. ...`: one line for the model, to stand before the body of the answer.
pub fn advice(status: StatusCode, headers: &HeaderMap, called: &Called<'_>) -> String {
    let reason = status.canonical_reason().map(|reason| format!(" {reason}")).unwrap_or_default();
    let code = headers.get(CODE_HEADER).and_then(|code| code.to_str().ok());
    let code = code.map(|code| format!(" ({code})")).unwrap_or_default();
    format!("HTTP {}{reason}{code}. {}", status.as_u16(), what_to_do(status, headers, called))
}

fn what_to_do(status: StatusCode, headers: &HeaderMap, called: &Called<'_>) -> String {
    let retry = retry_after(headers);
    match status.as_u16() {
        300..=399 => "The answer is a redirect, which tools do not follow.".into(),
        401 => unauthorized(called),
        403 => {
            "This caller may not do this. Another call with the same credential will not help; tell the user."
                .into()
        }
        404 => {
            "There is nothing with this name or id: check the arguments, or list what there is first.".into()
        }
        405 | 501 => "The API does not offer this; the tool may be out of date. Tell the user.".into(),
        408 | 425 => format!("Try again {}.", retry.unwrap_or_else(|| "later".into())),
        409 | 412 => "This conflicts with the present state: read it again before the next try.".into(),
        410 => "What this call names is gone for good.".into(),
        413 => "The arguments are too large: send less at a time.".into(),
        429 => {
            let when = retry.unwrap_or_else(|| "after a while".into());
            format!("Too many calls. Try again {when}; further calls before that are refused as well.")
        }
        400..=499 => {
            "The API did not accept the arguments: mend what the answer below names, and call again.".into()
        }
        _ => failed(retry, called),
    }
}

fn unauthorized(called: &Called<'_>) -> String {
    let names =
        called.credential_headers.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ");
    match (names.is_empty(), called.had_credential) {
        (true, _) => {
            "The API wants a credential, which this connection does not carry. Tell the user.".into()
        }
        (false, false) => format!(
            "A credential is needed in the header {names}, and the request has none. It is no argument of the tool: \
             ask the user to add it to this connection."
        ),
        (false, true) => format!(
            "The credential in the header {names} was not accepted. It is no argument of the tool: ask the user to \
             check it in the settings of this connection."
        ),
    }
}

fn failed(retry: Option<String>, called: &Called<'_>) -> String {
    let when = retry.unwrap_or_else(|| "later".into());
    let repeatable = called.method.is_idempotent();
    if repeatable {
        format!("The API could not answer. The arguments are not to blame: try again {when}, unchanged.")
    } else {
        format!(
            "The API could not answer, and it is not known whether it did what was asked. \
             Check that first, and only then try again {when}."
        )
    }
}

/// The challenges of a refusal that OAuth could answer (RFC 6750 section 3). One for an API key would only lead a client
/// to a sign-in that there is not.
pub fn bearer_challenges(status: StatusCode, headers: &HeaderMap) -> Vec<String> {
    if status != StatusCode::UNAUTHORIZED {
        return Vec::new();
    }
    let values = headers.get_all(header::WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    let is_bearer = |value: &&str| {
        let scheme = value.split(' ').next().unwrap_or_default();
        scheme.eq_ignore_ascii_case("bearer") && value.len() <= LONGEST_CHALLENGE
    };
    values.filter(is_bearer).take(MOST_CHALLENGES).map(str::to_owned).collect()
}

/// RFC 9110 section 10.2.3: seconds, or a date.
fn retry_after(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    match value.parse::<u64>() {
        Ok(1) => Some("after 1 second".into()),
        Ok(seconds) => Some(format!("after {seconds} seconds")),
        Err(_) if value.is_empty() || value.len() > 40 => None,
        Err(_) => Some(format!("after {value}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::http::HeaderValue;

    fn told(
        status: u16,
        method: Method,
        had_credential: bool,
        pairs: &[(HeaderName, &'static str)],
    ) -> String {
        let headers =
            pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect();
        let credential_headers = [HeaderName::from_static("apikey")];
        let called = Called { method: &method, credential_headers: &credential_headers, had_credential };
        advice(StatusCode::from_u16(status).unwrap(), &headers, &called)
    }

    #[test]
    fn says_which_credential_is_missing_or_not_accepted() {
        let missing = told(401, Method::POST, false, &[]);
        assert!(missing.starts_with("HTTP 401 Unauthorized. A credential is needed in the header `apikey`"));
        assert!(told(401, Method::POST, true, &[]).contains("`apikey` was not accepted"));
    }

    #[test]
    fn says_when_to_try_again() {
        let told_ = told(429, Method::GET, true, &[(header::RETRY_AFTER, "12")]);
        assert!(told_.starts_with("HTTP 429 Too Many Requests. Too many calls. Try again after 12 seconds;"));
        let code = HeaderName::from_static(CODE_HEADER);
        let timed_out = told(504, Method::GET, true, &[(code, "upstream_read_timeout")]);
        assert!(
            timed_out
                .starts_with("HTTP 504 Gateway Timeout (upstream_read_timeout). The API could not answer.")
        );
    }

    #[test]
    fn warns_before_what_may_have_happened_is_repeated() {
        assert!(told(502, Method::POST, true, &[]).contains("Check that first"));
        assert!(told(502, Method::PUT, true, &[]).contains("try again later, unchanged"));
    }

    #[test]
    fn only_bearer_challenges_of_a_401_are_told_to_clients() {
        let challenges = |status: StatusCode, values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static(value));
            }
            bearer_challenges(status, &headers)
        };
        let bearer = r#"Bearer resource_metadata="https://a.example/x", scope="a b""#;
        let all = [bearer, "apikey realm=\"key\"", "Basic realm=\"a\"", "bearer"];
        assert_eq!(challenges(StatusCode::UNAUTHORIZED, &all), [bearer, "bearer"]);
        assert_eq!(challenges(StatusCode::FORBIDDEN, &all), [""; 0]);
    }
}
