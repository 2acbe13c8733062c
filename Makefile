# Targets that others call; CONTRIBUTING.md says when to use which.
.DEFAULT_GOAL := help
.PHONY: help setup run lint check services stack test prove bench screens bundle lock clean

PYTHON ?= python3
UV ?= $(firstword $(wildcard .venv/bin/uv) uv)
BIN := .venv/bin
STAMP := .venv/.installed
KAFKA := .cache/kafka
# What looks for barriers in our pages (tests only); its hashes are in deploy/axe/SHA256SUMS.
AXE := .cache/axe
AXE_PACKAGE := axe-core@4.14.1
AXE_HOLDS := cd $(AXE) 2>/dev/null && sha256sum --status -c $(CURDIR)/deploy/axe/SHA256SUMS
# Two processes: what the figures and the time limits of the checks are stated for.
PYTEST := $(BIN)/python -m pytest -q -n 2

help:
	@echo "make setup   environment in .venv, from the hashed lock"
	@echo "make run     a simulated county, live, on port 8000"
	@echo "make stack   the cluster on Kafka, Redis and PostgreSQL, all started here, no containers"
	@echo "make check   lint, types, floors, laws and unit tests (within 60 s)"
	@echo "make test    everything"
	@echo "make prove   the exhaustive proofs (long)"
	@echo "make bench   speed, into benchmarks/results.json"
	@echo "make screens pictures of every page, into docs/screens/"
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
	$(BIN)/oriole models lock --check

# What pytest makes of the tests' text is kept for the next time, also where the environment tells
# Python to keep nothing: without it half a minute goes by before the first test.
check: lint
	PYTHONDONTWRITEBYTECODE= $(PYTEST) -m "not slow and not prove"

# Servers that tests and `make stack` start for themselves, on their own folders and ports; none that
# the system starts is used (RUNLEVEL=1 asks it not to). And the browser that tests look through, with
# a Chinese font. Without root they are left out, visibly.
services:
	@wanted=""; \
	[ -n "$$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null)" ] || wanted="$$wanted postgresql"; \
	command -v redis-server >/dev/null || wanted="$$wanted redis-server"; \
	command -v java >/dev/null || wanted="$$wanted openjdk-17-jre-headless"; \
	cmp -s deploy/kafka/pom.xml $(KAFKA)/pom.xml || command -v mvn >/dev/null || wanted="$$wanted maven"; \
	command -v chromium >/dev/null || wanted="$$wanted chromium"; \
	fc-list :lang=zh-cn 2>/dev/null | grep -q . || wanted="$$wanted fontconfig fonts-noto-cjk"; \
	($(AXE_HOLDS)) || command -v npm >/dev/null || wanted="$$wanted npm"; \
	if [ -z "$$wanted" ]; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -q && \
	  RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -q -y $$wanted; \
	else echo "Left out, as only root installs them: apt-get install$$wanted" >&2; fi
	@# Kafka's jars lie beside the list that they were fetched by: another list, and they are fetched
	@# again. Only a whole set takes its place.
	@if cmp -s deploy/kafka/pom.xml $(KAFKA)/pom.xml; then :; \
	elif command -v mvn >/dev/null; then \
	  rm -rf $(KAFKA).part && \
	  mvn -q -B -f deploy/kafka/pom.xml dependency:copy-dependencies \
	    -DoutputDirectory="$(CURDIR)/$(KAFKA).part" && \
	  cp deploy/kafka/pom.xml $(KAFKA).part/ && \
	  rm -rf $(KAFKA) && mv $(KAFKA).part $(KAFKA) || \
	  echo "Left out: Maven did not fetch Kafka into $(KAFKA)" >&2; \
	else echo "Left out: Kafka is fetched into $(KAFKA) by Maven" >&2; fi
	@# The same for axe: what npm brings must be what the hashes say.
	@if ($(AXE_HOLDS)); then :; \
	elif command -v npm >/dev/null; then \
	  rm -rf $(AXE).part && mkdir -p $(AXE).part && \
	  (cd $(AXE).part && npm pack --silent $(AXE_PACKAGE) >/dev/null && \
	    tar xzf axe-core-*.tgz --strip-components=1 package/LICENSE package/axe.min.js && \
	    rm axe-core-*.tgz && sha256sum --quiet -c $(CURDIR)/deploy/axe/SHA256SUMS) && \
	  rm -rf $(AXE) && mv $(AXE).part $(AXE) || \
	  echo "Left out: npm did not fetch $(AXE_PACKAGE) into $(AXE)" >&2; \
	else echo "Left out: $(AXE_PACKAGE) is fetched into $(AXE) by npm" >&2; fi

stack: setup services
	@$(BIN)/python -m deploy.stack

test: lint services
	$(PYTEST) -m "not prove"

prove: setup services
	$(PYTEST) -m prove

bench: setup
	$(BIN)/python -m benchmarks

screens: setup services
	PYTHONPATH=tests:. $(BIN)/python tests/shots.py docs/screens

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
