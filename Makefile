# `make help` lists what there is to do. Everything runs from .venv, which the first target makes.
.DEFAULT_GOAL := help
.PHONY: help setup check format test test-all demo bench run lock clean

BIN := .venv/bin
TEST := $(BIN)/pytest -n auto --dist loadfile -m "not slow"

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## make .venv from requirements.lock (quick when nothing changed)
	@scripts/setup

check: setup ## format, lint, types, import contracts, and what the clients may load
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/pytest tests/ground/test_import_hygiene.py

format: setup ## let ruff lay out and repair the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: setup ground ## the tests, on a real Docker engine (at most 12 minutes on 2 cores)
	$(TEST)

test-all: setup ground ## the tests and the long suites (at most 75 minutes)
	$(BIN)/pytest -n auto --dist loadfile

.PHONY: ground
ground:
	@scripts/need git busybox-static docker-registry docker-compose openssh-server pebble openssl iproute2 procps
	@scripts/docker-up

demo: setup ## a throw-away world with services to deploy and roll back
	@scripts/need git busybox-static
	@scripts/docker-up
	@$(BIN)/cockpit demo

bench: setup ground ## all measurements, written to docs/benchmarks.md
	$(BIN)/python -m bench

run: setup ## the cockpit itself, with your own configuration
	@$(BIN)/cockpit

lock: ## write requirements.lock anew from pyproject.toml (needs uv)
	@scripts/lock

clean: ## remove what was made here (not what the demo made: cockpit demo --clean)
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
