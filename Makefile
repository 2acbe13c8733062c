# Targets that others call; CONTRIBUTING.md says when to use which.
.DEFAULT_GOAL := help
.PHONY: help setup run lint check services test prove bench bundle lock clean

PYTHON ?= python3
UV ?= $(firstword $(wildcard .venv/bin/uv) uv)
BIN := .venv/bin
STAMP := .venv/.installed
# Two processes: what the figures and the time limits of the checks are stated for.
PYTEST := $(BIN)/python -m pytest -q -n 2

help:
	@echo "make setup   environment in .venv, from the hashed lock"
	@echo "make run     a simulated county, live, on port 8000"
	@echo "make check   lint, types, floors, laws and unit tests (within 60 s)"
	@echo "make test    everything"
	@echo "make prove   the exhaustive proofs (long)"
	@echo "make bench   speed, into benchmarks/results.json"
	@echo "make bundle  all that a server without the Internet installs from, into dist/"
	@echo "make lock    resolve requirements.in again (needs uv)"
	@echo "make clean   remove outputs and caches"

setup: $(STAMP)

# The project itself goes in without dependencies and without build isolation, so nothing
# that the lock does not name is ever fetched.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Oriole needs Python 3.11 or newer; '$(PYTHON)' is older or missing." >&2; \
	  echo "Name another one: make setup PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@# Compiled once here, also where the environment forbids Python to do it by itself.
	$(BIN)/python -m compileall -q detector replay
	$(BIN)/python -c 'from detector.quick import warm; warm()'
	@touch $@

run: setup
	@$(BIN)/oriole run --demo

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/oriole rules lock --check

check: lint
	$(PYTEST) -m "not slow and not prove"

# Servers that tests start for themselves; without root they are left out, visibly.
services:
	@if [ -z "$$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null)" ] && [ "$$(id -u)" = 0 ]; then \
	  apt-get update -q && apt-get install -q -y postgresql; fi

test: lint services
	$(PYTEST) -m "not prove"

prove: setup services
	$(PYTEST) -m prove

bench: setup
	$(BIN)/python -m benchmarks

bundle: setup
	$(BIN)/python deploy/bundle.py dist

lock:
	@command -v $(UV) >/dev/null || { \
	  echo "make lock needs uv: $(BIN)/python -m pip install uv" >&2; exit 1; }
	$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --no-emit-index-url requirements.in -o requirements.lock

clean:
	rm -rf out dist build .hypothesis .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
