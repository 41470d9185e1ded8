# BiVelio: one line of help a target; `make` prints them.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
LOCKS := server/requirements
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check
export PYTHONPATH :=
# Tests start the server by the hundred: it is compiled once.
export PYTHONDONTWRITEBYTECODE :=

help: ## Show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: .venv/.developing ## Prepare .venv with everything for developing

run: .venv/.running ## Start BiVelio: database, migrations, first organisation; until Ctrl-C
	@$(BIN)/bivelio-server serve --first-organization

test: setup ## Run all tests, on a PostgreSQL that they start themselves
	@cd server && ../$(BIN)/python -m compileall -q bivelio_server && ../$(BIN)/python -m pytest -n 2 --maxschedchunk 1

check: setup ## Lint, types, import rules
	@cd server && ../$(BIN)/ruff check . && ../$(BIN)/ruff format --check . && ../$(BIN)/mypy && ../$(BIN)/lint-imports

compat: setup ## Refuse a break of the API's contract that no new version declares (BASE=revision)
	@cd server && ../$(BIN)/python -m tests.contract.compare_with_main $(BASE)

bench: setup ## Measure the figures of docs/benchmarks.md, all in one run
	@$(BIN)/python benchmarks/run.py

demo: .venv/.running ## Tell the story of a lead, against a running server that is killed half-way
	@$(BIN)/python demo/story.py

contract: setup ## Write contract/, and the guide's table of metrics, anew from the code
	@cd server && ../$(BIN)/python -m tests.contract.write && ../$(BIN)/python -m tests.observability.write

lock: setup ## Resolve the locks anew (needs uv)
	@cd server && uv pip compile -q --universal --generate-hashes --no-header -o requirements/runtime.lock \
		pyproject.toml requirements/runtime.in
	@cd server && uv pip compile -q --universal --generate-hashes --no-header -c requirements/runtime.lock \
		-o requirements/dev.lock pyproject.toml requirements/runtime.in requirements/dev.in

.venv/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit("BiVelio needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || (echo "Install venv first, on Debian: apt install python3-venv" && false)
	@$(PYTHON) -m venv .venv

.venv/.running: .venv/bin/pip $(LOCKS)/runtime.lock server/pyproject.toml
	@test -f .venv/.developing || (echo "Installing BiVelio…" && $(INSTALL) --require-hashes -r $(LOCKS)/runtime.lock)
	@$(INSTALL) --no-deps --no-build-isolation -e server
	@touch $@

.venv/.developing: .venv/bin/pip $(LOCKS)/dev.lock server/pyproject.toml
	@echo "Installing BiVelio and its tools…"
	@$(INSTALL) --require-hashes -r $(LOCKS)/dev.lock
	@$(INSTALL) --no-deps --no-build-isolation -e server
	@touch $@ .venv/.running

.PHONY: help setup run test check compat bench demo contract lock
