# make demo     install into .venv and place simulated calls through a real server
# make test     install the test extras and run the tests
# make browser  install the Chromium that the console's tests drive, if it is not there
# make check    format, lint, types, tests with branch coverage
# make bench    time each stage of the path (nothing else should run meanwhile)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STEP := @printf '\033[1m==>\033[0m %s\n'

.DEFAULT_GOAL := help
.PHONY: help install demo test browser check bench clean

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

# A stamp for each set of extras: nothing is installed twice, and a changed pyproject installs anew.
$(VENV)/.base: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "ivr needs Python 3.11 or newer; say which with: make PYTHON=python3.12"; exit 1; }
	$(STEP) "making $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	$(STEP) "installing ivr"
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar on -q -e .
	@touch $@

$(VENV)/.test: $(VENV)/.base
	$(STEP) "installing the test extras"
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar on -q -e '.[test]'
	@touch $@

install: $(VENV)/.base

demo: $(VENV)/.base
	$(STEP) "placing simulated calls"
	@$(BIN)/ivr demo

test: $(VENV)/.test
	$(STEP) "running the tests"
	@$(BIN)/python -m pytest -q

# Playwright's package has no browser; its tests skip themselves where the system has none.
browser:
	@if command -v chromium chromium-browser google-chrome >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends chromium; \
	else echo "install Chromium by your system's packages, e.g. sudo apt-get install chromium"; fi

check: $(VENV)/.test
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q --cov --cov-report=term:skip-covered

bench: $(VENV)/.base
	@$(BIN)/ivr bench

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
