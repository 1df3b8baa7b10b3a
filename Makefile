# Two commands do everything: `make demo` shows the server, `make test` proves it.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
PORT ?= 8080
ARGS ?=

.PHONY: help demo test install install-dev serve check fix lock bench bench-search bench-validation clean

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

demo: .venv/.installed ## shows the server: network, pathway, refusal (ARGS=--exit ends by itself)
	@$(BIN)/fhir-server demo --port $(PORT) $(ARGS)

test: .venv/.installed-dev ## installs what is missing, then format, lint, types, layers and all tests
	@$(MAKE) --no-print-directory check

install: .venv/.installed ## makes .venv with what the server needs

install-dev: .venv/.installed-dev ## makes .venv with what its tests need too

serve: .venv/.installed ## starts the server, data in ./data
	@$(BIN)/fhir-server serve --port $(PORT) --data-dir data $(ARGS)

check: ## format, lint, types, layers, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q $(ARGS)

fix: ## formats, and mends what the linter can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/.installed-dev ## measures the server beside a bare function with one MongoDB operation
	@$(BIN)/python -m tests.benchmarks $(ARGS)

bench-search: .venv/.installed-dev ## measures searches, histories and paging over 22,000 resources, each answer checked
	@$(BIN)/python -m tests.benchmarks.search $(ARGS)

bench-validation: .venv/.installed-dev ## measures the validator on one core, and what each rule costs
	@$(BIN)/python -m tests.benchmarks.validation $(ARGS)

lock: ## writes the lock files anew from pyproject.toml
	$(BIN)/uv pip compile -q pyproject.toml --extra embedded --extra build --python-version 3.11 --universal --generate-hashes \
	  --no-header --no-emit-index-url -o requirements.lock
	$(BIN)/uv pip compile -q pyproject.toml --extra embedded --extra build --extra dev --python-version 3.11 --universal --generate-hashes \
	  --no-header --no-emit-index-url -c requirements.lock -o requirements-dev.lock

clean: ## removes .venv and what tools left behind
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist

.venv/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.11 …"; exit 1; }
	@$(PYTHON) -m venv .venv

.venv/.installed: .venv/bin/pip requirements.lock pyproject.toml
	@echo "Installation (une fois) · installing (once) …"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.venv/.installed-dev: .venv/.installed requirements-dev.lock
	@echo "Installation des outils de test (une fois) · installing test tools (once) …"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-dev.lock
	@touch $@
