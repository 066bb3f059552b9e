//! What can go wrong with one exchange: one error type, and one mapping to status, body, code header and metric label.

use crate::http::framing::FramingError;
use crate::http::path::PathError;
use crate::http::received::BodyFault;
use crate::http::{Body, Response};
use ::http::{HeaderValue, StatusCode, header};

/// The response header that carries [`Kind::code`].
pub const CODE_HEADER: &str = "x-toolway-error";

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    Framing(FramingError),
    Path(PathError),
    BadRequest,
    Misdirected,
    CertificateRequired,
    RouteNotFound,
    BodyTooLarge,
    BodyTimeout,
    UriTooLong,
    NoUpstreamNode,
    UpstreamUnreachable,
    UpstreamClosed,
    UpstreamProtocol,
    UpstreamReset,
    UpstreamTls,
    ConnectTimeout,
    SendTimeout,
    ReadTimeout,
    ClientClosed,
}

impl From<FramingError> for ProxyError {
    fn from(error: FramingError) -> Self {
        Self::new(Kind::Framing(error), error.to_string())
    }
}

impl From<PathError> for ProxyError {
    fn from(error: PathError) -> Self {
        Self::new(Kind::Path(error), error.to_string())
    }
}

/// An error of one exchange.
#[derive(Debug, thiserror::Error)]
#[error("{}: {detail}", kind.code())]
pub struct ProxyError {
    pub kind: Kind,
    /// For the log; may name addresses, never a secret. Not shown to clients unless the fault is theirs.
    pub detail: String,
    /// Whether another node may be tried: no byte of the request has reached this one.
    pub retry: bool,
}

impl Kind {
    /// The stable code that clients see in the error header and operators in logs and metrics.
    pub fn code(self) -> &'static str {
        match self {
            Kind::Framing(error) => error.code(),
            Kind::Path(error) => error.code(),
            Kind::BadRequest => "bad_request",
            Kind::Misdirected => "misdirected_request",
            Kind::CertificateRequired => "client_certificate_required",
            Kind::RouteNotFound => "route_not_found",
            Kind::BodyTooLarge => "body_too_large",
            Kind::BodyTimeout => "body_timeout",
            Kind::UriTooLong => "uri_too_long",
            Kind::NoUpstreamNode => "no_upstream_node",
            Kind::UpstreamUnreachable => "upstream_unreachable",
            Kind::UpstreamClosed => "upstream_closed",
            Kind::UpstreamProtocol => "upstream_protocol",
            Kind::UpstreamReset => "upstream_reset",
            Kind::UpstreamTls => "upstream_tls",
            Kind::ConnectTimeout => "upstream_connect_timeout",
            Kind::SendTimeout => "upstream_send_timeout",
            Kind::ReadTimeout => "upstream_read_timeout",
            Kind::ClientClosed => "client_closed",
        }
    }

    /// Whether the client is at fault, while it sends.
    pub const fn is_of_client(self) -> bool {
        matches!(self, Kind::ClientClosed | Kind::BodyTooLarge | Kind::BodyTimeout)
    }

    pub fn status(self) -> StatusCode {
        match self {
            Kind::Framing(error) => error.status(),
            Kind::Path(_) | Kind::BadRequest | Kind::ClientClosed | Kind::CertificateRequired => {
                StatusCode::BAD_REQUEST
            }
            Kind::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Kind::RouteNotFound => StatusCode::NOT_FOUND,
            Kind::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Kind::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Kind::UriTooLong => StatusCode::URI_TOO_LONG,
            Kind::NoUpstreamNode => StatusCode::SERVICE_UNAVAILABLE,
            Kind::UpstreamUnreachable
            | Kind::UpstreamClosed
            | Kind::UpstreamProtocol
            | Kind::UpstreamReset
            | Kind::UpstreamTls => StatusCode::BAD_GATEWAY,
            Kind::ConnectTimeout | Kind::SendTimeout | Kind::ReadTimeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    const fn message(self) -> &'static str {
        match self {
            Kind::Framing(_) | Kind::Path(_) | Kind::BadRequest => "The request is malformed",
            Kind::Misdirected => "This host needs a connection of its own, with a client certificate",
            Kind::CertificateRequired => "This path needs a connection with a client certificate",
            Kind::RouteNotFound => "404 Route Not Found",
            Kind::BodyTooLarge => "The request body is too large",
            Kind::BodyTimeout => "The request body did not come in time",
            Kind::UriTooLong => "The request's path and query are too long",
            Kind::NoUpstreamNode => "The upstream has no node to send to",
            Kind::UpstreamUnreachable => "The upstream could not be reached",
            Kind::UpstreamClosed => "The upstream closed the connection before it answered",
            Kind::UpstreamProtocol => "The upstream's answer is not valid HTTP",
            Kind::UpstreamReset => "The upstream broke off the request before it answered",
            Kind::UpstreamTls => "No trusted TLS connection to the upstream could be made",
            Kind::ConnectTimeout => "The upstream took too long to connect",
            Kind::SendTimeout => "The upstream took too long to take the request",
            Kind::ReadTimeout => "The upstream took too long to answer",
            Kind::ClientClosed => "The request ended before it was complete",
        }
    }
}

impl ProxyError {
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), retry: false }
    }

    /// The same error, found before any byte of the request was sent.
    pub fn before_sending(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), retry: true }
    }

    /// What is wrong with a client's body that broke off.
    pub fn of_client_body(error: &(dyn std::error::Error + 'static)) -> Self {
        let kind = match error.downcast_ref() {
            Some(BodyFault::TooLarge(_)) => Kind::BodyTooLarge,
            Some(BodyFault::Stalled(_)) => Kind::BodyTimeout,
            None => Kind::ClientClosed,
        };
        Self::new(kind, error.to_string())
    }

    /// The answer a client gets: `{"error_msg": ...}` with the code in the error header.
    pub fn response(&self) -> Response {
        let text = match self.kind {
            Kind::Framing(_) | Kind::Path(_) | Kind::BadRequest => {
                format!("{}: {}", self.kind.message(), self.detail)
            }
            kind => kind.message().to_owned(),
        };
        let mut response = error_response(self.kind.status(), &text);
        response.headers_mut().insert(CODE_HEADER, HeaderValue::from_static(self.kind.code()));
        if matches!(self.kind, Kind::Framing(_) | Kind::BodyTooLarge | Kind::BodyTimeout) {
            // What follows on this connection cannot be trusted, or is a body that nobody reads.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// An answer of the gateway's own in APISIX's form, `{"<member>": "<text>"}`; plugins refuse with `message`.
pub fn error_response(status: StatusCode, text: &str) -> Response {
    json_response(status, &ErrorBody { error_msg: text })
}

/// A refusal by a plugin, `{"message": text}`.
pub fn refusal(status: StatusCode, text: &str) -> Response {
    json_response(status, &RefusalBody { message: text })
}

/// An answer whose body is `value` as JSON.
pub fn json_response(status: StatusCode, value: &impl serde::Serialize) -> Response {
    let body = serde_json::to_vec(value).unwrap_or_default();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[derive(serde::Serialize)]
struct ErrorBody<'a> {
    error_msg: &'a str,
}

#[derive(serde::Serialize)]
struct RefusalBody<'a> {
    message: &'a str,
}
