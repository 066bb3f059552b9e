//! An app, built for the MCP endpoint: its listing, its tools by name and by former name, and who may speak to it.

use super::listing::Listing;
use super::origin::Origins;
use super::request::RequestTemplate;
use super::schema::{InputSchema, OutputSchema};
use crate::near::near;
use crate::roles::Rule;
use crate::snapshot::{self, App};
use crate::table::Keyed;
use std::collections::HashMap;
use std::sync::Arc;

/// An app, ready to serve.
pub struct McpApp {
    id: Box<str>,
    pub(super) listing: Listing,
    pub(super) origins: Origins,
    pub(super) max_result_characters: usize,
    pub(super) tools: Vec<Tool>,
    /// Names and aliases to the index of the tool.
    names: HashMap<Arc<str>, usize>,
}

/// A tool, ready to be called.
pub(super) struct Tool {
    pub name: Arc<str>,
    /// Id of the route that a call goes through.
    pub route: Arc<str>,
    /// The roles that callers need, of each rule one.
    pub rules: Arc<[Rule]>,
    pub schema: InputSchema,
    pub request: RequestTemplate,
    /// The definition's outputSchema, for which clients want `structuredContent` (2025-11-25, server/tools).
    pub output: Option<OutputSchema>,
}

impl McpApp {
    /// Builds `app`. All problems are told at once, each with a JSON pointer into the app.
    pub fn build(app: &App) -> Result<Self, Vec<(String, String)>> {
        let mut problems = Vec::new();
        let mut tools = Vec::with_capacity(app.tools.len());
        let mut names = HashMap::with_capacity(app.tools.len());
        for (index, definition) in app.tools.iter().enumerate() {
            let at = format!("/tools/{index}");
            match Tool::build(definition) {
                Ok(tool) => {
                    if names.insert(tool.name.clone(), tools.len()).is_some() {
                        problems.push((
                            format!("{at}/name"),
                            format!("there are two tools named {:?}", tool.name),
                        ));
                    }
                    tools.push(tool);
                }
                Err(whys) => {
                    problems.extend(whys.into_iter().map(|(pointer, why)| (format!("{at}{pointer}"), why)))
                }
            }
        }
        // A tool's own name goes before another's former name.
        for definition in &app.tools {
            let Some(index) = names.get(definition.name.as_str()).copied() else { continue };
            for alias in &definition.aliases {
                names.entry(Arc::from(alias.as_str())).or_insert(index);
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            id: app.id.as_str().into(),
            listing: Listing::build(app),
            origins: Origins::new(&app.allowed_origins),
            max_result_characters: app.max_result_characters,
            tools,
            names,
        })
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    /// Ids of the routes that the tools' calls go through, in the order of the tools.
    pub fn routes(&self) -> impl Iterator<Item = &str> {
        self.tools.iter().map(|tool| &*tool.route)
    }

    /// The tool of this name or former name.
    pub(super) fn tool(&self, name: &str) -> Option<&Tool> {
        self.tools.get(*self.names.get(name)?)
    }

    /// Whether any tool is only for callers with certain roles.
    pub(super) fn asks_for_roles(&self) -> bool {
        self.tools.iter().any(|tool| !tool.rules.is_empty())
    }

    /// The tool's name that is nearest to `name`, among those that every caller may know of.
    pub(super) fn near(&self, name: &str) -> Option<&str> {
        near(name, self.tools.iter().filter(|tool| tool.rules.is_empty()).map(|tool| &*tool.name))
    }
}

impl Keyed for McpApp {
    fn key(&self) -> &[u8] {
        self.id.as_bytes()
    }
}

impl Tool {
    fn build(tool: &snapshot::Tool) -> Result<Self, Vec<(String, String)>> {
        let mut problems = Vec::new();
        if tool.definition.get("name").and_then(serde_json::Value::as_str) != Some(&tool.name) {
            problems.push(("/definition/name".into(), "is not the tool's name".into()));
        }
        let request = RequestTemplate::build(&tool.request).map_err(|whys| {
            problems.extend(whys.into_iter().map(|(pointer, why)| (format!("/request{pointer}"), why)));
        });
        let Ok(request) = request else { return Err(problems) };
        let output = tool.definition.get("outputSchema").map(OutputSchema::build).transpose();
        let output = output.unwrap_or_else(|why| {
            problems.push(("/definition/outputSchema".into(), why));
            None
        });
        let none = serde_json::Value::Null;
        let schema = tool.definition.get("inputSchema").unwrap_or(&none);
        match InputSchema::build(schema, &request.arguments()) {
            Ok(schema) if problems.is_empty() => Ok(Self {
                name: tool.name.as_str().into(),
                route: tool.route.as_str().into(),
                rules: tool.roles.iter().map(|roles| Rule::new(roles)).collect(),
                schema,
                request,
                output,
            }),
            Ok(_) => Err(problems),
            Err(why) => {
                problems.push(("/definition/inputSchema".into(), why));
                Err(problems)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn app(tools: Value) -> Result<McpApp, Vec<(String, String)>> {
        let app = json!({"id": "a", "name": "a", "title": "A", "version": "1", "max_result_characters": 1000,
            "tools": tools});
        McpApp::build(&serde_json::from_value(app).unwrap())
    }

    fn tool(name: &str, aliases: &[&str]) -> Value {
        json!({"name": name, "aliases": aliases, "route": "r",
            "definition": {"name": name, "inputSchema": {"type": "object"}},
            "request": {"method": "GET", "host": "a", "path": "/", "accept": "*/*"}})
    }

    #[test]
    fn finds_tools_by_name_and_by_former_name() {
        let app =
            app(json!([tool("new", &["old", "other"]), tool("other", &[])])).unwrap_or_else(|_| panic!());
        assert_eq!(&*app.tool("new").unwrap().name, "new");
        assert_eq!(&*app.tool("old").unwrap().name, "new");
        assert_eq!(&*app.tool("other").unwrap().name, "other");
        assert!(app.tool("x").is_none());
        assert_eq!(app.near("othr"), Some("other"));
    }

    #[test]
    fn tells_every_problem_with_its_place() {
        let mut bad = tool("a", &[]);
        bad["request"]["path"] = json!("/{id}");
        bad["request"]["method"] = json!("G T");
        let mut worse = tool("b", &[]);
        worse["definition"] = json!({"name": "c", "inputSchema": {"type": "string"}, "outputSchema": {}});
        let problems = app(json!([bad, worse, tool("d", &[]), tool("d", &[])])).err().unwrap();
        let places: Vec<_> = problems.iter().map(|(at, _)| at.as_str()).collect();
        assert_eq!(
            places,
            [
                "/tools/0/request/method",
                "/tools/0/request/path",
                "/tools/1/definition/name",
                "/tools/1/definition/outputSchema",
                "/tools/1/definition/inputSchema",
                "/tools/3/name",
            ]
        );
    }
}
