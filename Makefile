# `make` lists what there is. The two that matter: `make demo` and `make test`.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MERIDIAN := $(BIN)/meridian
REGIONS ?= eu,us,in
# Stacks and tests are hundreds of short processes: compiling every module in each of them would treble their start.
unexport PYTHONDONTWRITEBYTECODE

##@ Run it

.PHONY: demo
demo: $(VENV)/.local ## Start the local stack, trade for a while, reconcile, print one page; leaves the stack running
	@$(MERIDIAN) demo --regions $(REGIONS)

.PHONY: up
up: $(VENV)/.local ## Start the local stack, detached (REGIONS=eu,us,in)
	@$(MERIDIAN) up --regions $(REGIONS)

.PHONY: status
status: $(VENV)/.local ## Show what runs
	@$(MERIDIAN) status

.PHONY: down
down: ## Stop the local stack; its data stays
	@if [[ -x $(MERIDIAN) ]]; then $(MERIDIAN) down; else echo "There is no $(MERIDIAN), so nothing was started."; fi

##@ Check it

.PHONY: test
test: $(VENV)/.dev lint types ## Everything: lint, types, import layers, every test (campaigns: a short seeded slice)
	@$(BIN)/pytest --quiet --durations=20 --numprocesses $$(( $$(nproc) + 2 )) --dist loadgroup --no-loadscope-reorder

.PHONY: unit
unit: $(VENV)/.dev ## Only the tests that need neither database nor broker
	@$(BIN)/pytest --quiet tests/unit tests/property

.PHONY: lint
lint: $(VENV)/.dev ## Lint and format check (ruff), import layers, YAML, Dockerfile
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/lint-imports --no-logo > $(VENV)/imports.log || { cat $(VENV)/imports.log; exit 1; }
	@git ls-files -z '*.yml' '*.yaml' | xargs -0 -r $(BIN)/yamllint --strict
	@$(BIN)/hadolint Dockerfile

.PHONY: types
types: $(VENV)/.dev ## Types (mypy, strict)
	@$(BIN)/mypy

.PHONY: format
format: $(VENV)/.dev ## Format the code, and fix what can be fixed
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format --quiet .

.PHONY: campaign
campaign: $(VENV)/.dev ## Storms, fault runs and simulations at their full counts (takes long)
	@$(BIN)/pytest -m campaign

.PHONY: bench
bench: $(VENV)/.dev ## The API against bare Flask + psycopg endpoints, bulk against COPY; last lines are JSON
	@$(BIN)/python tests/bench/api.py
	@$(BIN)/python tests/bench/api_reads.py

.PHONY: bench-pipeline
bench-pipeline: $(VENV)/.dev ## A day of 100,000 payments from outbox to published warehouse, alone and on 30 days of history
	@$(BIN)/python tests/bench/pipeline.py

##@ Keep it

.PHONY: venv install
venv: $(VENV)/.local ## Virtual environment with the `meridian` command and the local stack
install: $(VENV)/.dev ## The same, with Airflow and the tools that `make test` needs

.PHONY: lock
lock: $(BIN)/uv ## Write the hash-pinned requirements/*.txt anew from *.in (UPGRADE=--upgrade takes new versions)
	@requirements/lock.sh $(BIN)/uv $(UPGRADE)

.PHONY: events
events: $(VENV)/.dev ## Write docs/reference/events.md anew from the event contracts
	@$(BIN)/python -m regions.event_reference

.PHONY: clean
clean: ## Remove caches and build leftovers
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage build dist dbt/target dbt/logs
	@find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

.PHONY: distclean
distclean: clean ## The same, and stop the stack, remove its data and the virtual environment
	@if [[ -x $(MERIDIAN) ]]; then $(MERIDIAN) down --purge; fi
	@rm -rf $(VENV)

.PHONY: help
help: ## This list
	@awk 'BEGIN { FS = ":.*## " } /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	    /^[a-z][a-z-]*( [a-z]+)*:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# The virtual environment. A stamp is newer than what it was made from, or the set is installed (again).

$(BIN)/uv: requirements/bootstrap.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2> /dev/null || { \
	    echo "Meridian needs Python 3.11, and $(PYTHON) is $$($(PYTHON) --version 2>&1 || true): set PYTHON=/path/to/python3.11." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { \
	    echo "$(PYTHON) cannot make virtual environments: install the package python3-venv." >&2; exit 1; }
	@echo "Making the virtual environment $(VENV) …"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/bootstrap.txt
	@touch $@

$(VENV)/.local $(VENV)/.dev: $(VENV)/.%: requirements/%.txt pyproject.toml requirements/install.py | $(BIN)/uv
	@echo "Installing requirements/$*.txt …"
	@$(BIN)/python requirements/install.py requirements/$*.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
