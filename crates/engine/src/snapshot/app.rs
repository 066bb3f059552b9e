//! Apps as the MCP endpoint serves them: their tools, and how a tool's arguments become a request.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct App {
    pub id: String,
    /// `serverInfo` of initialize and server/discover.
    pub name: String,
    pub title: String,
    pub version: String,
    #[serde(default)]
    pub instructions: Option<String>,
    /// Values of Origin that are let in besides the app's own hosts; a request without Origin always is.
    #[serde(default)]
    pub allowed_origins: Vec<String>,
    /// Characters of a result's text, beyond which it is cut with a note.
    pub max_result_characters: usize,
    pub tools: Vec<Tool>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    pub name: String,
    /// Former names that stay callable.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Id of the route whose plugins and upstream a call goes through.
    pub route: String,
    /// What callers need, that of the route included: of each list one role. A list without roles is for nobody.
    #[serde(default)]
    pub roles: Vec<Vec<String>>,
    /// The entry of tools/list as clients get it: name, title, description, inputSchema (JSON Schema 2020-12, local
    /// references only), annotations. An `outputSchema` is of an object; an answer that is JSON but no object is
    /// checked and given as `{"result": answer}`.
    pub definition: serde_json::Value,
    pub request: ToolRequest,
}

/// How arguments become a request, by the rules of OpenAPI 3.1 (Parameter Object, Encoding Object, RFC 6570).
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ToolRequest {
    pub method: String,
    /// Host header of the request; the route must match it.
    pub host: String,
    /// Path at the gateway with `{name}` for each path parameter; fixed query parts may follow a `?`.
    pub path: String,
    #[serde(default)]
    pub parameters: Vec<Parameter>,
    #[serde(default)]
    pub body: Option<ToolBody>,
    /// The Accept header of the request.
    pub accept: String,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// Name of the tool's argument.
    pub argument: String,
    #[serde(rename = "in")]
    pub location: Location,
    /// Name on the wire.
    pub name: String,
    pub style: Style,
    pub explode: bool,
    #[serde(default)]
    pub allow_reserved: bool,
    /// Set for a parameter with `content`: the value is encoded in this media type (JSON) instead of by style.
    #[serde(default)]
    pub media_type: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Location {
    Path,
    Query,
    Header,
    Cookie,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Style {
    Simple,
    Label,
    Matrix,
    Form,
    SpaceDelimited,
    PipeDelimited,
    DeepObject,
    /// Swagger 2.0 `collectionFormat: tsv`.
    TabDelimited,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ToolBody {
    /// `application/json` and `*+json`, `application/x-www-form-urlencoded`, `multipart/form-data`, or any other type,
    /// whose single argument is text, or base64 where `binary` is true.
    pub media_type: String,
    pub arguments: BodyArguments,
    /// By property name, for forms and multipart.
    #[serde(default)]
    pub encoding: BTreeMap<String, Encoding>,
    /// The whole body is bytes; the argument carries them in base64.
    #[serde(default)]
    pub binary: bool,
}

/// Which arguments make the body.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum BodyArguments {
    /// The argument's value is the whole body.
    Whole(String),
    /// Each argument is one property of an object.
    Properties(Vec<Argument>),
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Argument {
    /// Name of the tool's argument.
    pub argument: String,
    /// Name of the property in the body.
    pub name: String,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Encoding {
    pub style: Option<Style>,
    pub explode: Option<bool>,
    pub content_type: Option<String>,
    /// The property is a file: the argument is base64, or text where the schema says so.
    pub binary: bool,
    pub headers: BTreeMap<String, String>,
}
