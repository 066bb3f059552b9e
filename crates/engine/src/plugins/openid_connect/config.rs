//! The settings of `openid-connect`, as users write them.

use crate::plugins::jwt_auth::token::Algorithm;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Lets in who has an access token of an identity provider.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The gateway's own id at the identity provider. Tokens must be meant for it, unless `claim_validator` says more.
    #[schemars(length(min = 1))]
    pub client_id: String,
    /// The gateway's secret at the identity provider, by which it asks about tokens.
    #[serde(default)]
    #[schemars(length(min = 1), extend("writeOnly" = true))]
    pub client_secret: Option<String>,
    /// The URL of the provider's discovery document, such as
    /// `https://id.example.com/.well-known/openid-configuration`.
    #[schemars(length(min = 1))]
    pub discovery: String,
    /// Must be true: signing users in by a browser is not served.
    #[serde(default)]
    pub bearer_only: bool,
    /// The realm that a refusal names in `WWW-Authenticate`.
    #[serde(default = "realm")]
    pub realm: String,
    /// Scopes that a token must have, all of them; without one the answer is 403.
    #[serde(default)]
    pub required_scopes: Vec<String>,
    /// Seconds for each question to the provider.
    #[serde(default = "timeout")]
    #[schemars(range(min = 1, max = 60))]
    pub timeout: u64,
    /// Whether the provider's certificate is checked. True by default, other than in APISIX.
    #[serde(default = "yes")]
    pub ssl_verify: bool,
    /// A public key or certificate in PEM that tokens are verified by, instead of the provider's key set.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub public_key: Option<String>,
    /// Whether tokens are verified by the provider's key set though there is an `introspection_endpoint`.
    #[serde(default)]
    pub use_jwks: bool,
    /// For how many seconds a key set is used at most; the provider's Cache-Control may say less.
    #[serde(default = "jwk_expires_in")]
    #[schemars(range(min = 60, max = 604_800))]
    pub jwk_expires_in: u64,
    /// The one algorithm of tokens that is taken. Without it all that public keys verify by are.
    #[serde(default)]
    pub token_signing_alg_values_expected: Option<Expected>,
    /// Seconds by which the provider's clock may be off.
    #[serde(default = "iat_slack")]
    #[schemars(range(max = 3600))]
    pub iat_slack: u32,
    /// The URL at which the provider tells about a token (RFC 7662). Tokens are then not looked into.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub introspection_endpoint: Option<String>,
    /// How the gateway proves itself there.
    #[serde(default)]
    pub introspection_endpoint_auth_method: AuthMethod,
    /// For how many seconds at most what was told about a token is taken to hold; a revoked one is let in for so long.
    /// 0: until it expires.
    #[serde(default = "introspection_interval")]
    #[schemars(range(max = 86_400))]
    pub introspection_interval: u64,
    /// Whether each request asks anew about its token.
    #[serde(default)]
    pub introspection_cache_ignore: bool,
    /// Which claims a token must have.
    #[serde(default)]
    pub claim_validator: ClaimValidator,
    /// The claim that is the username of a consumer, as which the caller goes on; there must be one, or the answer is 403.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub consumer_claim: Option<String>,
    /// Headers that tell the upstream claims of the token, each with its claim; dots lead to a claim within others. Texts
    /// of a list have spaces between them. The same headers of a client are removed.
    #[serde(default)]
    pub upstream_headers: BTreeMap<String, String>,
    /// Whether the upstream gets all claims in the header X-Userinfo, as JSON in base64.
    #[serde(default = "yes")]
    pub set_userinfo_header: bool,
    /// Whether the upstream gets the token. False by default, other than in APISIX.
    #[serde(default)]
    pub set_access_token_header: bool,
    /// Whether it then gets it in Authorization as it came, instead of in the header X-Access-Token.
    #[serde(default)]
    pub access_token_in_authorization_header: bool,
    /// The URL of the metadata (RFC 9728) that a refusal leads clients to. An app's own MCP endpoint has it by itself.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub resource_metadata: Option<String>,
}

/// Algorithms that only need a public key.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
pub enum Expected {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    ES512,
    EdDSA,
}

/// Ways to prove who asks (RFC 6749 section 2.3.1).
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum AuthMethod {
    /// In the header Authorization.
    #[default]
    ClientSecretBasic,
    /// In the body.
    ClientSecretPost,
}

/// Which claims a token must have.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClaimValidator {
    /// Who must have made it.
    pub issuer: Issuer,
    /// For whom it must be.
    pub audience: Audience,
}

/// Who may have made a token.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Issuer {
    /// The claim `iss` must be one of these. Without them it must be the issuer of the discovery document.
    pub valid_issuers: Option<Vec<String>>,
}

/// For whom a token may be.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Audience {
    /// The claim that says it.
    #[schemars(length(min = 1))]
    pub claim: String,
    /// Whether a token must have the claim. True by default, other than in APISIX.
    pub required: bool,
    /// Whether it must name `client_id`, where there are no `valid_audiences`. True by default, other than in APISIX.
    pub match_with_client_id: bool,
    /// It must name one of these, such as the URL that the API is known by (RFC 8707).
    pub valid_audiences: Option<Vec<String>>,
}

impl Default for Audience {
    fn default() -> Self {
        Self { claim: "aud".into(), required: true, match_with_client_id: true, valid_audiences: None }
    }
}

impl From<Expected> for Algorithm {
    fn from(expected: Expected) -> Self {
        match expected {
            Expected::RS256 => Self::RS256,
            Expected::RS384 => Self::RS384,
            Expected::RS512 => Self::RS512,
            Expected::PS256 => Self::PS256,
            Expected::PS384 => Self::PS384,
            Expected::PS512 => Self::PS512,
            Expected::ES256 => Self::ES256,
            Expected::ES384 => Self::ES384,
            Expected::ES512 => Self::ES512,
            Expected::EdDSA => Self::EdDSA,
        }
    }
}

fn realm() -> String {
    "apisix".into()
}

const fn timeout() -> u64 {
    3
}

const fn jwk_expires_in() -> u64 {
    3600
}

const fn iat_slack() -> u32 {
    30
}

const fn introspection_interval() -> u64 {
    60
}

const fn yes() -> bool {
    true
}
