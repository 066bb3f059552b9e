# The targets that people and .ci/run call. Each sets up what it needs on a machine with Python 3.11, cargo and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
RUST := $(shell find crates -name '*.rs' 2>/dev/null) Cargo.toml Cargo.lock $(wildcard crates/*/Cargo.toml)

.PHONY: demo test lint fmt bench clean setup
.DEFAULT_GOAL := help

help:
	@echo "make demo    run the demo (ARGS=--once to end after it)"
	@echo "make test    run every test"
	@echo "make lint    check style, types and layers"
	@echo "make fmt     format the code"
	@echo "make bench   compare with nginx on this machine"
	@echo "make clean   remove what was built"

$(VENV)/.run: requirements/run.txt
	@echo "==> Python environment in $(VENV)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.run
	@echo "==> Development tools"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@
