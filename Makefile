# hkai. `make serve` and `make test` install what is missing and need nothing before them but Python 3.11+ with venv, make and git.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3; do command -v $$name >/dev/null 2>&1 && echo $$name && break; done)
# PyTorch goes first and alone, so that no other package pulls in a build of its own choosing.
TORCH := torch==2.13.0
INSTALLED := $(VENV)/.installed
TOOLS := $(VENV)/.tools

.PHONY: help serve test check fix eval bench soak vectors screenshots install tools clean

help: ## list the commands
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 12

serve: $(INSTALLED) ## the chat page and the endpoint on http://127.0.0.1:7860 (PORT changes it)
	@$(BIN)/hkai serve

test: $(TOOLS) browser ## all tests
	@$(BIN)/pytest -m "not soak" -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(TESTS)

check: $(TOOLS) ## linters, types and the corpus linter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check -q .
	@$(BIN)/mypy
	@$(BIN)/python -m corpus.check

fix: $(TOOLS) ## what the linters can mend by themselves
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

eval: $(INSTALLED) ## the question sets, compared with the committed figures (GATE=--sample asks a part)
	@$(BIN)/hkai ingest --rebuild
	@$(BIN)/hkai eval gate $(GATE)

bench: $(TOOLS) ## speed and memory, each beside its floor in the same run
	@$(BIN)/hkai bench
	@$(BIN)/hkai bench --serve

soak: $(TOOLS) browser ## long load, fuzzing and kill tests
	@$(BIN)/pytest -m soak $(TESTS)

vectors: $(INSTALLED) ## the vectors that come with the corpus, after a text was changed
	@$(BIN)/python -m index.ship

screenshots: $(TOOLS) browser ## the screenshots in docs/, taken anew
	@$(BIN)/python -m tests.ui.screenshots

install: $(INSTALLED) ## what `serve` needs

tools: $(TOOLS) ## what `test` and `check` need

clean: ## remove the installation and the index
	rm -rf $(VENV) data

$(VENV)/bin/python:
	@command -v git >/dev/null || { echo "git is missing: apt-get install git"; exit 1; }
	@test -n "$(PYTHON)" || { echo "Python is missing: apt-get install python3 python3-venv"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; $(PYTHON) is older: apt-get install python3.11 python3.11-venv"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "Python's venv is missing: apt-get install python3-venv"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(INSTALLED): $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "Installing into $(VENV) (once; some minutes) ..."
	@$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt $(TORCH)
	@$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(TOOLS): $(INSTALLED)
	@$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

# A Chromium or Chrome that is there, else Debian's where apt-get may install it, else Playwright's own.
.PHONY: browser
browser: $(TOOLS)
	@command -v chromium chromium-browser google-chrome google-chrome-stable >/dev/null 2>&1 \
	|| test -n "$$HKAI_TEST_CHROMIUM" || test -f $(VENV)/.browser \
	|| { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-noto-cjk >/dev/null; } \
	|| { $(BIN)/playwright install chromium >/dev/null 2>&1 && touch $(VENV)/.browser; } \
	|| echo "No Chromium could be found or installed: the browser tests are left out (apt-get install chromium)."
