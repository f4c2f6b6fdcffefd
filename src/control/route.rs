//! A route: its path and method, who handles it, and what the document says of it. One table of these is both the router and
//! the document, so that neither has what the other lacks.

use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, on};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::Control;
use super::problem::Kind;

/// Makes the schema of a type.
pub(crate) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// What goes in or comes out.
#[derive(Clone, Copy)]
pub(crate) enum Content {
    /// JSON of a type.
    Json(SchemaOf),
    /// Bytes as they are: a snapshot.
    Bytes,
    /// Text of lines: a journal.
    Text,
    /// The document itself.
    Document,
}

/// A route.
pub(crate) struct Route {
    pub(crate) method: Method,
    /// As the document has it; parameters in braces.
    pub(crate) path: &'static str,
    /// Its name in the document.
    pub(crate) id: &'static str,
    /// What it does, in a sentence.
    pub(crate) summary: &'static str,
    pub(crate) query: Option<SchemaOf>,
    pub(crate) takes: Option<Content>,
    /// What comes back where it is done, with its status.
    pub(crate) answers: Vec<(u16, Option<Content>)>,
    /// How it may be refused, besides what any route may.
    pub(crate) refuses: &'static [Kind],
    /// Whether it is there for forks too, below their own path.
    pub(crate) for_forks: bool,
    pub(crate) handler: MethodRouter<Control>,
}

impl Route {
    fn new<H, T>(
        method: Method,
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        handler: H,
    ) -> Self
    where
        H: Handler<T, Control>,
        T: 'static,
    {
        let filter = match method {
            Method::POST => MethodFilter::POST,
            Method::PUT => MethodFilter::PUT,
            Method::DELETE => MethodFilter::DELETE,
            _ => MethodFilter::GET,
        };
        Route {
            method,
            path,
            id,
            summary,
            query: None,
            takes: None,
            answers: Vec::new(),
            refuses: &[],
            for_forks: true,
            handler: on(filter, handler),
        }
    }

    pub(crate) fn get<H: Handler<T, Control>, T: 'static>(
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        handler: H,
    ) -> Self {
        Route::new(Method::GET, path, id, summary, handler)
    }

    pub(crate) fn post<H: Handler<T, Control>, T: 'static>(
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        handler: H,
    ) -> Self {
        Route::new(Method::POST, path, id, summary, handler)
    }

    pub(crate) fn put<H: Handler<T, Control>, T: 'static>(
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        handler: H,
    ) -> Self {
        Route::new(Method::PUT, path, id, summary, handler)
    }

    pub(crate) fn delete<H: Handler<T, Control>, T: 'static>(
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        handler: H,
    ) -> Self {
        Route::new(Method::DELETE, path, id, summary, handler)
    }

    /// JSON goes in.
    pub(crate) fn takes<T: JsonSchema>(mut self) -> Self {
        self.takes = Some(Content::Json(schema_of::<T>));
        self
    }

    /// Bytes go in.
    pub(crate) fn takes_bytes(mut self) -> Self {
        self.takes = Some(Content::Bytes);
        self
    }

    /// Parameters of the query.
    pub(crate) fn query<T: JsonSchema>(mut self) -> Self {
        self.query = Some(schema_of::<T>);
        self
    }

    /// JSON comes out.
    pub(crate) fn gives<T: JsonSchema>(mut self, status: u16) -> Self {
        self.answers.push((status, Some(Content::Json(schema_of::<T>))));
        self
    }

    /// Something else comes out.
    pub(crate) fn gives_content(mut self, content: Content) -> Self {
        self.answers.push((200, Some(content)));
        self
    }

    /// Nothing comes out: it is done.
    pub(crate) fn done(mut self) -> Self {
        self.answers.push((204, None));
        self
    }

    pub(crate) fn refuses(mut self, kinds: &'static [Kind]) -> Self {
        self.refuses = kinds;
        self
    }

    /// It is the same for all brokers, and stands below the server's own path alone.
    pub(crate) fn of_the_server(mut self) -> Self {
        self.for_forks = false;
        self
    }
}
