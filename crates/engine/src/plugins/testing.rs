//! What the tests of plugins share: a generation with one route that has the plugins under test, and exchanges on it.

use super::{Chain, Phase};
use crate::exchange::{Arrival, Exchange};
use crate::generation::Generation;
use crate::http::{Body, Response};
use crate::server::{Connections, Shared, Worker};
use crate::state::State;
use arc_swap::ArcSwap;
use aws_lc_rs::digest::{SHA256, digest};
use http::request::Builder;
use serde_json::{Value, json};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll, Wake};
use std::thread::{self, Thread};

/// A worker whose generation has the consumers alice (of the group staff), bob and guest, and one route.
pub struct Bench {
    pub worker: Rc<Worker>,
    route: String,
}

impl Bench {
    pub fn new(plugins: Value) -> Self {
        Self::on(Arc::default(), "route", plugins)
    }

    /// A worker whose generation has the consumer carol too, with one credential of `plugin`.
    pub fn with_credential(plugin: &str, config: Value, plugins: Value) -> Self {
        Self::with_carol(&json!({"id": "carols", "plugin": plugin, "config": config}), plugins)
            .unwrap_or_else(|message| panic!("{message}"))
    }

    /// A worker whose generation has the consumer carol too, with an API key and the fields of `more`.
    pub fn with_carol_as(more: Value, plugins: Value) -> Self {
        let state = Arc::default();
        let mut carol = consumer("carol");
        if let (Value::Object(carol), Value::Object(more)) = (&mut carol, more) {
            carol.extend(more);
        }
        let generation =
            generation(&state, "route", plugins, &[carol]).unwrap_or_else(|message| panic!("{message}"));
        Self::of(generation, state, "route")
    }

    /// The same with a credential as the snapshot has it; or why it cannot be built.
    pub fn with_carol(credential: &Value, plugins: Value) -> Result<Self, String> {
        let state = Arc::default();
        let carol = json!({"username": "carol", "credentials": [credential]});
        Ok(Self::of(generation(&state, "route", plugins, &[carol])?, state, "route"))
    }

    /// A worker whose generation has `api` too, as the snapshot has it.
    pub fn with_api(api: Value, plugins: Value) -> Self {
        let state = Arc::default();
        let mut snapshot = snapshot("route", plugins, &[]);
        snapshot["apis"] = json!([api]);
        let (_, generation) =
            Generation::from_json(&snapshot.to_string(), &state).unwrap_or_else(|error| panic!("{error}"));
        Self::of(generation, state, "route")
    }

    /// The same engine after a swap to a route with the id `route`.
    pub fn swapped(&self, route: &str, plugins: Value) -> Self {
        Self::on(self.worker.shared.state.clone(), route, plugins)
    }

    /// Why these plugins cannot be built.
    pub fn problem(plugins: Value) -> String {
        match generation(&Arc::default(), "route", plugins, &[]) {
            Ok(_) => panic!("the plugins were built"),
            Err(message) => message,
        }
    }

    fn on(state: Arc<State>, route: &str, plugins: Value) -> Self {
        let generation =
            generation(&state, route, plugins, &[]).unwrap_or_else(|message| panic!("{message}"));
        Self::of(generation, state, route)
    }

    fn of(generation: Generation, state: Arc<State>, route: &str) -> Self {
        let shared = Shared {
            generation: ArcSwap::from_pointee(generation),
            state,
            access_log: None,
            connections: Connections::new(1, usize::MAX).0,
            ready: AtomicBool::new(false),
        };
        Self { worker: Worker::new(Arc::new(shared)), route: route.into() }
    }

    pub fn state(&self) -> &Arc<State> {
        &self.worker.shared.state
    }

    /// An exchange that has found its route.
    pub fn exchange(&self, request: Builder) -> Exchange {
        let request = request.body(Body::Empty).expect("a valid request");
        let client = "192.0.2.7:4711".parse().expect("an address");
        let arrival = Arrival::new(client, "http", 9080);
        let mut exchange = Exchange::for_test(&self.worker, request, arrival);
        exchange.route = exchange.generation.routes.get(&self.route).cloned();
        exchange.record.route.clone_from(&exchange.route);
        exchange
    }

    pub fn chain(&self) -> Chain {
        self.worker.generation().routes.get(&self.route).expect("the route").chain.clone()
    }

    /// Runs the route's plugins as if it led to an upstream, on the runtime that this is called on, for those that ask
    /// other servers.
    pub async fn answer(&self, exchange: &mut Exchange) -> Option<Response> {
        let chain = self.chain();
        let route = exchange.route.clone();
        exchange.strip_told(route.as_deref());
        if let Some(response) = chain.run(Phase::Receive..=Phase::Authenticate, exchange).await {
            return Some(response);
        }
        exchange.withhold([Some(&chain), None]);
        chain.run(Phase::Access..=Phase::Rewrite, exchange).await
    }

    /// The same, and waits where they do.
    pub fn run(&self, exchange: &mut Exchange) -> Option<Response> {
        let mut running = pin!(self.answer(exchange));
        let waker = Arc::new(Unpark(thread::current())).into();
        loop {
            match running.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(response) => return response,
                Poll::Pending => thread::park(),
            }
        }
    }
}

/// Wakes the thread of a test.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn consumer(name: &str) -> Value {
    let config = json!({"key_sha256": key(&format!("{name}-key"))});
    let credential = json!({"id": format!("{name}-credential"), "plugin": "key-auth", "config": config});
    json!({"username": name, "group": "staff", "credentials": [credential]})
}

fn generation(state: &Arc<State>, route: &str, plugins: Value, more: &[Value]) -> Result<Generation, String> {
    let built = Generation::from_json(&snapshot(route, plugins, more).to_string(), state);
    built.map(|(_, generation)| generation).map_err(|error| error.to_string())
}

fn snapshot(route: &str, plugins: Value, more: &[Value]) -> Value {
    let consumers = [consumer("alice"), consumer("bob"), json!({"username": "guest"})];
    json!({
        "version": 1,
        "gateway": {"listen": [], "workers": 1},
        "consumers": consumers.iter().chain(more).collect::<Vec<_>>(),
        "routes": [{
            "id": route,
            "name": "A route",
            "uris": ["/*"],
            "hosts": ["api.example"],
            "service": "shop",
            "operation": "listOrders",
            "plugins": plugins,
            "target": {"static": {"status": 200}},
        }],
    })
}

/// The SHA-256 of an API key, as snapshots have it.
pub fn key(text: &str) -> String {
    digest(&SHA256, text.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Who the exchange has been found to be of.
pub fn username(exchange: &Exchange) -> Option<&str> {
    exchange.identity.as_ref().map(|identity| &*identity.consumer.username)
}

pub fn get(uri: &str) -> Builder {
    http::Request::get(uri)
}

/// A response's body as JSON.
pub fn body(response: &Response) -> Value {
    match response.body() {
        Body::Bytes(bytes) => serde_json::from_slice(bytes).expect("JSON"),
        _ => panic!("the body is not in memory"),
    }
}
