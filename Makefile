# The two commands: `make demo` opens the sample project ready to label, `make test` runs every test. Both set up what they need.

PYTHON ?= python3.11
PORT ?= 8501
BIN := .venv/bin
# By file, as the tests of one share its fixtures, and in their order, in which the long ones come first.
APART := -n 2 --dist loadfile --no-loadscope-reorder
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo setup setup-dev test test-fast lint screenshots clean

demo: setup
	$(BIN)/python -m annot demo --port $(PORT)

setup: .venv/.setup

setup-dev: .venv/.setup-dev

# A stamp is only written when the installation went through, so a broken one is repeated.
.venv/.setup: requirements.txt constraints.txt | .venv/bin/python
	@echo "Installing Annot's libraries into .venv: about 2 GB, mostly 1 to 4 minutes. It is quiet meanwhile."
	$(BIN)/python -m pip install --quiet -r requirements.txt
	@touch $@

.venv/.setup-dev: .venv/.setup requirements-dev.txt
	$(BIN)/python -m pip install --quiet -r requirements-dev.txt
	@touch $@

.venv/bin/python:
	$(PYTHON) -m venv .venv

test: setup-dev lint
	@sh tests/browser/ensure_chromium.sh
	$(BIN)/python -m pytest -q $(APART)

test-fast: setup-dev
	$(BIN)/python -m pytest -q $(APART) -m "not slow and not browser"

lint: setup-dev
	$(BIN)/ruff check --no-cache .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

screenshots: setup-dev
	$(BIN)/python -m tests.browser.screenshots

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache
