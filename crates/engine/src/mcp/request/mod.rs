//! A tool's arguments as an HTTP request, by the rules of OpenAPI 3.1. A template is built once per snapshot; making a
//! request from it knows nothing of MCP, routes or callers. What an argument cannot say is decided here: where a value
//! ends (`escape`), how many segments a path has (`path`), and which headers frame and route a message.

mod body;
mod escape;
mod multipart;
mod path;
mod style;

use crate::http::{Body, Request};
use crate::snapshot::{BodyArguments, Location, Parameter, ToolRequest};
use ::http::{HeaderName, HeaderValue, Method, header};
use body::BodyTemplate;
use escape::Place;
use path::PathTemplate;
use serde_json::{Map, Value};
use style::Shape;

/// Headers that frame or route a message or prove who calls: never an argument's to set (OpenAPI 3.1.1 section 4.8.12
/// for the first three, RFC 9110 section 7.6.1).
const NOT_FOR_ARGUMENTS: &[&str] = &[
    "accept",
    "authorization",
    "content-type",
    "connection",
    "content-length",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// How a tool's arguments become a request.
pub struct RequestTemplate {
    method: Method,
    host: HeaderValue,
    accept: HeaderValue,
    path: PathTemplate,
    /// What followed `?` in the configured path.
    fixed_query: Option<String>,
    parameters: Vec<Parameter>,
    /// By index of the parameter; set for those in a header.
    header_names: Vec<Option<HeaderName>>,
    body: Option<BodyTemplate>,
}

impl RequestTemplate {
    /// Builds the template. Each problem comes with a JSON pointer into `request`.
    pub fn build(request: &ToolRequest) -> Result<Self, Vec<(String, String)>> {
        let mut problems = Vec::new();
        let mut problem = |at: String, why: String| problems.push((at, why));
        let method = Method::from_bytes(request.method.as_bytes());
        if method.is_err() {
            problem("/method".into(), format!("{:?} is not a method", request.method));
        }
        let host = HeaderValue::from_str(&request.host).ok().filter(|host| !host.is_empty());
        if host.is_none() {
            problem("/host".into(), format!("{:?} is not a host", request.host));
        }
        let accept = HeaderValue::from_str(&request.accept);
        if accept.is_err() {
            problem("/accept".into(), "is not a valid header value".into());
        }
        let mut header_names = Vec::with_capacity(request.parameters.len());
        for (index, parameter) in request.parameters.iter().enumerate() {
            header_names.push(header_name(parameter).unwrap_or_else(|why| {
                problem(format!("/parameters/{index}/name"), why);
                None
            }));
        }
        let (path, query) = match request.path.split_once('?') {
            Some((path, query)) => (path, Some(escape::literal(query))),
            None => (request.path.as_str(), None),
        };
        let path = PathTemplate::build(path, &request.parameters);
        if let Err(whys) = &path {
            whys.iter().for_each(|why| problem("/path".into(), why.clone()));
        }
        let body = request.body.as_ref().map(BodyTemplate::build).transpose();
        if let Err(whys) = &body {
            whys.iter().for_each(|(at, why)| problem(format!("/body{at}"), why.clone()));
        }
        match (method, host, accept, path, body) {
            (Ok(method), Some(host), Ok(accept), Ok(path), Ok(body)) if problems.is_empty() => Ok(Self {
                method,
                host,
                accept,
                path,
                fixed_query: query.filter(|query| !query.is_empty()),
                parameters: request.parameters.clone(),
                header_names,
                body,
            }),
            _ => Err(problems),
        }
    }

    pub const fn method(&self) -> &Method {
        &self.method
    }

    /// Names of all arguments that have a place in the request, the path's and query's first.
    pub fn arguments(&self) -> Vec<&str> {
        let mut names: Vec<&str> =
            self.parameters.iter().map(|parameter| parameter.argument.as_str()).collect();
        match self.body.as_ref().map(BodyTemplate::arguments) {
            Some(BodyArguments::Whole(name)) => names.push(name),
            Some(BodyArguments::Properties(properties)) => {
                names.extend(properties.iter().map(|property| property.argument.as_str()));
            }
            None => {}
        }
        names
    }

    /// Whether null means absent for `argument`: so it does for parameters, since no style can write it.
    pub fn takes_no_null(&self, argument: &str) -> bool {
        self.parameters.iter().any(|parameter| parameter.argument == argument)
    }

    /// The request for `arguments`. Every problem is told in a sentence that names the argument.
    pub fn request(&self, arguments: &Map<String, Value>) -> Result<Request, Vec<String>> {
        let mut problems = Vec::new();
        let shapes: Vec<Option<Shape>> = self
            .parameters
            .iter()
            .map(|parameter| match shape(parameter, arguments.get(&parameter.argument)) {
                Ok(shape) => shape,
                Err(why) => {
                    problems.push(format!("`{}` {why}", parameter.argument));
                    None
                }
            })
            .collect();
        if !problems.is_empty() {
            return Err(problems);
        }
        let target = match self.path.fill(&self.parameters, &shapes) {
            Ok(path) => self.with_query(path, &shapes),
            Err(whys) => return Err(whys),
        };
        let mut request = Request::new(Body::Empty);
        *request.method_mut() = self.method.clone();
        match target.parse() {
            Ok(uri) => *request.uri_mut() = uri,
            Err(_) => problems.push("the arguments make an address that is too long".into()),
        }
        request.headers_mut().insert(header::HOST, self.host.clone());
        request.headers_mut().insert(header::ACCEPT, self.accept.clone());
        self.add_headers(&mut request, &shapes, &mut problems);
        match self.body.as_ref().map_or(Ok(None), |body| body.make(arguments, &self.method)) {
            Ok(Some(made)) => {
                request.headers_mut().insert(header::CONTENT_TYPE, made.content_type);
                request.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(made.bytes.len()));
                *request.body_mut() = Body::from(made.bytes);
            }
            // RFC 9110 section 8.6: a method that anticipates content says that there is none.
            Ok(None) if matches!(self.method, Method::POST | Method::PUT | Method::PATCH) => {
                request.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(0));
            }
            Ok(None) => {}
            Err(whys) => problems.extend(whys),
        }
        if problems.is_empty() { Ok(request) } else { Err(problems) }
    }

    fn with_query(&self, mut target: String, shapes: &[Option<Shape>]) -> String {
        let mut separator = '?';
        let mut push = |pair: &str| {
            target.push(std::mem::replace(&mut separator, '&'));
            target.push_str(pair);
        };
        if let Some(query) = &self.fixed_query {
            push(query);
        }
        for (parameter, shape) in self.filled(shapes, Location::Query) {
            let place = if parameter.allow_reserved { Place::Reserved } else { Place::Query };
            style::pairs(parameter, shape, place).iter().for_each(|pair| push(pair));
        }
        target
    }

    fn add_headers(&self, request: &mut Request, shapes: &[Option<Shape>], problems: &mut Vec<String>) {
        for ((parameter, shape), name) in self.parameters.iter().zip(shapes).zip(&self.header_names) {
            let (Some(shape), Some(name)) = (shape, name) else { continue };
            let text = style::text(parameter, shape, Place::Header);
            // The check of the header's value refuses CR, LF and other control characters.
            match HeaderValue::from_bytes(text.trim().as_bytes()) {
                Ok(value) => {
                    request.headers_mut().append(name, value);
                }
                Err(_) => problems.push(format!(
                    "`{}` is sent in a header, so it must not hold line breaks or control characters",
                    parameter.argument
                )),
            }
        }
        let cookies = self.filled(shapes, Location::Cookie);
        let cookies: Vec<_> =
            cookies.flat_map(|(parameter, shape)| style::pairs(parameter, shape, Place::Cookie)).collect();
        if let Some(value) = HeaderValue::from_str(&cookies.join("; ")).ok().filter(|value| !value.is_empty())
        {
            request.headers_mut().insert(header::COOKIE, value);
        }
    }

    /// The parameters of `location` that have something to write, with their shapes.
    fn filled<'a>(
        &'a self,
        shapes: &'a [Option<Shape>],
        location: Location,
    ) -> impl Iterator<Item = (&'a Parameter, &'a Shape)> {
        self.parameters.iter().zip(shapes).filter_map(move |(parameter, shape)| {
            let shape = shape.as_ref().filter(|shape| !shape.is_empty())?;
            (parameter.location == location).then_some((parameter, shape))
        })
    }
}

fn header_name(parameter: &Parameter) -> Result<Option<HeaderName>, String> {
    let name = parameter.name.as_str();
    match parameter.location {
        Location::Header => match HeaderName::from_bytes(name.as_bytes()) {
            Ok(name) if NOT_FOR_ARGUMENTS.contains(&name.as_str()) => {
                Err(format!("the header {name:?} cannot be an argument: it frames or routes the message"))
            }
            Ok(name) => Ok(Some(name)),
            Err(_) => Err(format!("{name:?} is not a header name")),
        },
        Location::Cookie if HeaderName::from_bytes(name.as_bytes()).is_err() => {
            Err(format!("{name:?} is not a cookie name"))
        }
        _ => Ok(None),
    }
}

fn shape(parameter: &Parameter, value: Option<&Value>) -> Result<Option<Shape>, String> {
    match (value, &parameter.media_type) {
        (None | Some(Value::Null), _) => Ok(None),
        (Some(Value::String(text)), Some(media_type)) if !body::is_json(media_type) => {
            Ok(Some(Shape::Plain(text.clone())))
        }
        (Some(value), Some(_)) => Ok(Some(Shape::Plain(value.to_string()))),
        (Some(value), None) => Shape::of(value, parameter.style),
    }
}

#[cfg(test)]
mod tests;
