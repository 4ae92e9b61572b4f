# Everything below sets itself up: Python 3.11+, make and a network are all it takes.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: help demo test test-all check settings bench wheel clean
.DEFAULT_GOAL := help

help: ## list what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

demo: $(READY) ## from rendered matches to an mAP@1 table, in minutes
	$(BIN)/bas demo

test: $(READY) ## tests, on the CPU and without network
	$(BIN)/pytest -q -n 2 --dist loadfile -m "not slow"

test-all: $(READY) ## with those that take longer
	$(BIN)/pytest -q -n 2 --dist loadfile

check: $(READY) ## lint, format, types, floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

settings: $(READY) ## regenerate the reference of settings in configs/README.md
	$(BIN)/python -c 'from bas.config.reference import write_reference; write_reference("configs/README.md")'

bench: $(READY) ## measurements, one table out
	$(BIN)/python tests/bench/run.py

wheel: $(READY) ## wheel and sdist in dist/
	$(BIN)/python -m build --no-isolation

clean: ## remove the environment and all caches of tools
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "bas needs Python 3.11 or newer; name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@
