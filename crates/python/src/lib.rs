//! The Python module `toolway._engine`: a thin door to the engine. Types are changed here and nothing else.

use pyo3::exceptions::{PyKeyError, PyOSError, PyPermissionError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyList;
use std::time::Duration;
use toolway_engine::{BuildError, StartError, plugins};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pyo3::create_exception!(_engine, EngineError, PyValueError, "A snapshot or delta that cannot be built.");
pyo3::create_exception!(
    _engine,
    StaleError,
    PyRuntimeError,
    "What was prepared is based on what no longer runs."
);

#[pyclass(frozen)]
struct Engine(toolway_engine::Engine);

/// What `Engine.prepare` gives and `Engine.commit` takes.
#[pyclass(frozen)]
struct Prepared(toolway_engine::Prepared);

#[pymethods]
impl Engine {
    #[new]
    fn new(python: Python<'_>, snapshot: &str) -> PyResult<Self> {
        python
            .detach(|| toolway_engine::Engine::new(snapshot))
            .map(Self)
            .map_err(|error| refused(python, &error))
    }

    #[pyo3(signature = (*, beside=false))]
    fn start(&self, python: Python<'_>, beside: bool) -> PyResult<()> {
        let start = || if beside { self.0.start_beside() } else { self.0.start() };
        python.detach(start).map_err(|error| match error {
            StartError::Started => PyRuntimeError::new_err(error.to_string()),
            StartError::Io(error) => PyOSError::new_err(error.to_string()),
        })
    }

    fn listen_addresses(&self) -> Vec<String> {
        self.0.listen_addresses().iter().map(ToString::to_string).collect()
    }

    fn tls_listen_addresses(&self) -> Vec<String> {
        self.0.tls_listen_addresses().iter().map(ToString::to_string).collect()
    }

    fn metrics_address(&self) -> Option<String> {
        self.0.metrics_address().map(|address| address.to_string())
    }

    fn control_address(&self) -> Option<String> {
        self.0.control_address().map(|address| address.to_string())
    }

    fn apply(&self, python: Python<'_>, snapshot: &str) -> PyResult<()> {
        python.detach(|| self.0.apply(snapshot)).map_err(|error| refused(python, &error))
    }

    fn prepare(&self, python: Python<'_>, delta: &str) -> PyResult<Prepared> {
        python.detach(|| self.0.prepare(delta)).map(Prepared).map_err(|error| refused(python, &error))
    }

    fn commit(&self, python: Python<'_>, prepared: &Prepared) -> PyResult<()> {
        let commit = || self.0.commit(&prepared.0);
        python.detach(commit).map_err(|error| StaleError::new_err(error.to_string()))
    }

    fn reopen_logs(&self, python: Python<'_>) -> PyResult<()> {
        python.detach(|| self.0.reopen_logs()).map_err(|error| PyOSError::new_err(error.to_string()))
    }

    fn tell_address_lists(&self, read: Vec<(String, i64)>) {
        self.0.tell_address_lists(read);
    }

    fn drain(&self, python: Python<'_>, timeout: f64) -> PyResult<bool> {
        let limit =
            Duration::try_from_secs_f64(timeout).map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(python.detach(|| self.0.drain(limit)))
    }

    fn call(
        &self,
        python: Python<'_>,
        app: &str,
        tool: &str,
        arguments: &str,
        headers: Vec<(String, String)>,
    ) -> PyResult<String> {
        let map = header_map(headers)?;
        let result = python.detach(|| self.0.call(app, tool, arguments, map));
        let result = result.map_err(|error| PyOSError::new_err(error.to_string()))?;
        result.map(|result| result.to_string()).ok_or_else(|| PyKeyError::new_err(format!("{app}: {tool}")))
    }

    fn tools(&self, python: Python<'_>, app: &str, headers: Vec<(String, String)>) -> PyResult<String> {
        let map = header_map(headers)?;
        let result = python.detach(|| self.0.tools(app, map));
        let result = result.map_err(|error| PyOSError::new_err(error.to_string()))?;
        let result = result.ok_or_else(|| PyKeyError::new_err(app.to_owned()))?;
        result.map(|tools| serde_json::Value::Array(tools).to_string()).map_err(PyPermissionError::new_err)
    }

    fn last_use(&self, username: &str, credential: &str) -> Option<u64> {
        self.0.last_use(username, credential)
    }
}

fn header_map(headers: Vec<(String, String)>) -> PyResult<http::HeaderMap> {
    let mut map = http::HeaderMap::new();
    for (name, value) in headers {
        let name: http::HeaderName =
            name.parse().map_err(|_| PyValueError::new_err(format!("{name:?} is not a header name")))?;
        let value = value.parse().map_err(|_| {
            PyValueError::new_err(format!(
                "the value of the header {name} has characters that no header may have"
            ))
        })?;
        map.append(name, value);
    }
    Ok(map)
}

/// An `EngineError` whose `problems` are (JSON pointer, message) pairs.
fn refused(python: Python<'_>, error: &BuildError) -> PyErr {
    let raised = EngineError::new_err(error.to_string());
    let problems = PyList::new(python, &error.problems);
    match problems.and_then(|problems| raised.value(python).setattr("problems", problems)) {
        Ok(()) => raised,
        Err(error) => error,
    }
}

#[pyfunction]
fn check(python: Python<'_>, snapshot: &str) -> PyResult<()> {
    python.detach(|| toolway_engine::Engine::check(snapshot)).map_err(|error| refused(python, &error))
}

#[pyfunction]
fn plugin_schemas() -> String {
    plugins::schemas().to_string()
}

#[pyfunction]
const fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

#[pymodule]
fn _engine(python: Python<'_>, module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("EngineError", python.get_type::<EngineError>())?;
    module.add("StaleError", python.get_type::<StaleError>())?;
    module.add_class::<Engine>()?;
    module.add_class::<Prepared>()?;
    module.add_function(wrap_pyfunction!(check, module)?)?;
    module.add_function(wrap_pyfunction!(plugin_schemas, module)?)?;
    module.add_function(wrap_pyfunction!(version, module)?)
}
