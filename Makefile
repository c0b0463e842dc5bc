# The two commands a newcomer needs are `make serve` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help serve fish test lint format lock bench clean

help: ## Show what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

serve: $(VENV)/.serve ## Set everything up and serve speech on WRAPPER_HOST:WRAPPER_PORT (127.0.0.1:8000)
	@exec $(BIN)/june-tts serve

fish: $(VENV)/.fish ## Add what the native Fish Speech engine needs (torch with CUDA, about 5 GB)

# Two at a time, a file each; the files with servers and models come first, so that no long one is last.
TEST_WORKERS ?= 2
test: $(VENV)/.test lint ## Run every check and every test
	$(BIN)/pytest -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder

lint: $(VENV)/.test ## Run the linters, the type checker and the import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	for program in examples/*/*.py $(PLUGIN)/tests/*.py; do $(BIN)/mypy "$$program" || exit 1; done
	$(BIN)/lint-imports --no-cache

format: $(VENV)/.test ## Rewrite the code in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.test ## Measure this machine beside piper's own server (ten minutes, leave it alone meanwhile)
	$(BIN)/python bench/compare_piper.py
	$(BIN)/python bench/server_health.py --json bench/results/server_health.json

lock: ## Pin the dependencies again (needs uv)
	scripts/lock.sh

clean: ## Remove what was set up here
	rm -rf $(VENV)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(None if v >= (3, 11) else \
		f"june-tts needs Python 3.11 or newer, $(PYTHON) is {v[0]}.{v[1]}: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)

PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
OURSELVES := $(PIP) --no-deps --no-build-isolation -e .
# A package of its own, which the tests speak through; the test lock has what it asks for.
PLUGIN := integrations/livekit-plugins-june

# Every version of the serve lock is in the fish lock, and all of that in the test lock, and pip removes nothing:
# whichever came last, those before it stay true.
$(VENV)/.serve: requirements/serve.txt pyproject.toml | $(VENV)/bin/python
	$(PIP) --require-hashes -r requirements/serve.txt
	$(OURSELVES)
	@touch $@

$(VENV)/.fish: requirements/fish.txt pyproject.toml | $(VENV)/bin/python
	$(PIP) --require-hashes -r requirements/fish.txt
	$(OURSELVES)
	@touch $@

# The reference that the Fish engine is compared with comes without its dependencies: see pyproject.toml.
$(VENV)/.test: requirements/test.txt requirements/reference.txt pyproject.toml $(PLUGIN)/pyproject.toml | $(VENV)/bin/python
	$(PIP) --require-hashes -r requirements/test.txt
	$(PIP) --require-hashes --no-deps -r requirements/reference.txt
	$(OURSELVES) -e $(PLUGIN)
	@touch $@
