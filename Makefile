# Everything runs in .venv, which the first target that needs it sets up. All paths are relative, so that a clone works
# wherever it lies, spaces included; a clone that was moved needs `make clean` once.

PYTHON ?= python3
BUDGET ?= 15m
# A new day tries new seeds; a failure says which seed replays it.
SEED ?= $(shell date +%Y%m%d)

RUNTIME := .venv/.installed
DEV := .venv/.installed-dev

# One resolution for every Python from 3.11 on and every platform; the index is the user's own affair.
LOCK := --quiet --upgrade --universal --python-version 3.11 \
  --generate-hashes --no-emit-index-url --no-header --no-annotate

.DEFAULT_GOAL := help
.PHONY: help run test check soak lock clean

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## /\1|/p' Makefile | awk -F '|' '{ printf "  make %-8s %s\n", $$1, $$2 }'

run: $(RUNTIME) ## set up, run jobs.example.jsonl against the embedded provider, report
	@code=0; .venv/bin/batchrun run jobs.example.jsonl --simulate || code=$$?; \
	echo; .venv/bin/batchrun report jobs.example.jsonl; \
	echo; echo "The answers are in jobs.example.batchrun/results.jsonl, a line an item."; \
	exit $$code

test: $(DEV) ## the tests, at most 4 minutes
	@.venv/bin/python -m pytest -n logical --dist worksteal -m "not slow and not soak"

check: $(DEV) ## format, lint, strict types, import contracts
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports

soak: $(DEV) ## the slow tests and the long seeded suites; BUDGET=15m SEED=1
	@.venv/bin/python tools/soak.py --budget "$(BUDGET)" --seed "$(SEED)"

lock: ## renew both lock files (needs uv)
	uv pip compile $(LOCK) pyproject.toml --group build --output-file requirements.lock
	uv pip compile $(LOCK) pyproject.toml --group build --group dev --constraint requirements.lock \
	  --output-file requirements-dev.lock

clean: ## remove .venv and caches; what runs have written (*.batchrun) stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find batchrun tests tools -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUNTIME): pyproject.toml requirements.lock tools/bootstrap.py
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("batchrun needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Name a newer one: make PYTHON=python3.13")'
	@$(PYTHON) tools/bootstrap.py requirements.lock
	@touch $@

$(DEV): $(RUNTIME) requirements-dev.lock
	@$(PYTHON) tools/bootstrap.py requirements-dev.lock
	@touch $@
