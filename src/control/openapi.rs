//! The document that describes the interface: OpenAPI 3.1, made of the routes and of the types that go in and out.

use std::sync::OnceLock;

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use schemars::generate::{Contract, SchemaSettings};
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::problem::{self, Kind, Problem};
use super::route::{Content, Route};

/// Where schemas stand in the document.
const SCHEMAS: &str = "/components/schemas";

/// The routes of this noun.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/openapi.json", "describe_interface", "This document", document)
            .gives_content(Content::Document)
            .of_the_server(),
    ]
}

async fn document() -> Result<Response, Problem> {
    static TEXT: OnceLock<String> = OnceLock::new();
    let text = TEXT.get_or_init(|| describe(&super::routes()).to_string());
    let mut response = Response::new(Body::from(text.as_str()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// Makes schemas of what goes in, and of what comes out: they differ where a field may be left out of what goes in.
struct Schemas {
    incoming: SchemaGenerator,
    outgoing: SchemaGenerator,
}

impl Schemas {
    fn new() -> Self {
        let settings = |contract| {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = SCHEMAS.into();
                settings.meta_schema = None;
                settings.contract = contract;
            })
        };
        Schemas {
            incoming: SchemaGenerator::new(settings(Contract::Deserialize)),
            outgoing: SchemaGenerator::new(settings(Contract::Serialize)),
        }
    }

    /// All of them, by name. Where a type goes in and comes out, what goes in counts: it asks for less.
    fn all(mut self) -> Map<String, Value> {
        let mut all: Map<String, Value> = self.outgoing.take_definitions(true).into_iter().collect();
        all.extend(self.incoming.take_definitions(true));
        all.values_mut().for_each(shorten);
        all.insert("Problem".to_owned(), problem::schema());
        all
    }
}

/// Keeps the first paragraph of every description: what follows it is for readers of Rust.
fn shorten(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(text)) = fields.get_mut("description") {
                *text = text.split("\n\n").next().unwrap_or_default().replace('\n', " ");
            }
            fields.values_mut().for_each(shorten);
        }
        Value::Array(all) => all.iter_mut().for_each(shorten),
        _ => {}
    }
}

/// The document.
fn describe(routes: &[Route]) -> Value {
    let mut schemas = Schemas::new();
    let mut paths: Map<String, Value> = Map::new();
    for route in routes {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        let operation = operation(route, &mut schemas);
        if let Value::Object(methods) = path {
            methods.insert(route.method.as_str().to_ascii_lowercase(), operation);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Klamm's control",
            "summary": "A broker's time, faults and state, in the hand of a test",
            "description": "Every path that has a tag 'broker' is there for each fork too, below /forks/N: with the fork's control_url in the place of the server's. A refusal leaves the broker as it was.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/", "description": "The broker that the server was started with" }],
        "security": [{}, { "token": [] }],
        "tags": [
            { "name": "broker", "description": "Of a broker: the first one, or a fork below its own path" },
            { "name": "server", "description": "Of the server, for all its brokers" },
        ],
        "paths": paths,
        "components": {
            "schemas": schemas.all(),
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": "Where the server was started with a token." },
            },
        },
    })
}

fn operation(route: &Route, schemas: &mut Schemas) -> Value {
    let mut operation = Map::new();
    operation.insert("operationId".to_owned(), route.id.into());
    operation.insert("summary".to_owned(), route.summary.into());
    let tag = if route.for_forks { "broker" } else { "server" };
    operation.insert("tags".to_owned(), json!([tag]));
    let parameters = parameters(route, schemas);
    if !parameters.is_empty() {
        operation.insert("parameters".to_owned(), parameters.into());
    }
    if let Some(content) = route.takes {
        let content = media(content, &mut schemas.incoming);
        operation.insert("requestBody".to_owned(), json!({ "required": true, "content": content }));
    }
    operation.insert("responses".to_owned(), responses(route, schemas).into());
    Value::Object(operation)
}

/// What stands in the path, and behind the question mark.
fn parameters(route: &Route, schemas: &mut Schemas) -> Vec<Value> {
    let in_path = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let in_path = in_path.map(|name| {
        let kind = if matches!(name, "rule" | "fork" | "node") { "integer" } else { "string" };
        json!({ "name": name, "in": "path", "required": true, "schema": { "type": kind } })
    });
    let mut all: Vec<Value> = in_path.collect();
    if let Some(query) = route.query {
        let schema = resolved(query(&mut schemas.incoming), &mut schemas.incoming);
        let properties = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
        for (name, mut schema) in properties {
            let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
            all.push(json!({
                "name": name, "in": "query", "required": false, "description": description, "schema": schema,
            }));
        }
    }
    all
}

/// A schema itself, where there is a reference to it. It is of use in this place alone.
fn resolved(schema: Schema, generator: &mut SchemaGenerator) -> Value {
    let schema = schema.to_value();
    let name = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next());
    match name.and_then(|name| generator.definitions_mut().remove(name)) {
        Some(definition) => definition,
        None => schema,
    }
}

fn media(content: Content, generator: &mut SchemaGenerator) -> Value {
    match content {
        Content::Json(schema) => json!({ "application/json": { "schema": schema(generator) } }),
        Content::Bytes => json!({ "application/octet-stream": {} }),
        Content::Text => json!({ "application/x-ndjson": {} }),
        Content::Document => json!({ "application/json": { "schema": { "type": "object" } } }),
    }
}

fn responses(route: &Route, schemas: &mut Schemas) -> Map<String, Value> {
    let mut all = Map::new();
    for (status, content) in &route.answers {
        let mut response = Map::from_iter([("description".to_owned(), Value::from("It is done."))]);
        if let Some(content) = content {
            response.insert("content".to_owned(), media(*content, &mut schemas.outgoing));
        }
        all.insert(status.to_string(), Value::Object(response));
    }
    for (status, kinds) in problem::by_status(&refusals(route)) {
        let why: Vec<String> = kinds.iter().map(ToString::to_string).collect();
        let reference = json!({ "$ref": "#/components/schemas/Problem" });
        all.insert(
            status.to_string(),
            json!({
                "description": format!("{}.", why.join("; or: ")),
                "content": { "application/problem+json": { "schema": reference } },
            }),
        );
    }
    all
}

/// How a route may be refused.
fn refusals(route: &Route) -> Vec<Kind> {
    let mut all = vec![Kind::Unauthorized, Kind::Forbidden, Kind::TooLarge, Kind::Failed];
    if matches!(route.takes, Some(Content::Json(_))) {
        all.extend([Kind::BadJson, Kind::Invalid, Kind::UnsupportedMediaType]);
    }
    if matches!(route.takes, Some(Content::Bytes)) {
        all.push(Kind::BadParameter);
    }
    if route.path.contains('{') || route.query.is_some() {
        all.push(Kind::BadParameter);
    }
    all.extend(route.refuses);
    if route.for_forks {
        // The fork may not be there, or be named by what is no number.
        all.extend([Kind::NotFound, Kind::BadParameter]);
    }
    all.sort_unstable();
    all.dedup();
    all
}
