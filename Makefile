# `make audit` works in a fresh clone: it makes a .venv and audits the embedded model.
PYTHON ?= python3.11
BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
export OMP_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help audit test lint bench

help:  ## list these targets
	@awk -F':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

audit: .venv/.run  ## audit the embedded model; succeeds whatever the verdict
	@$(BIN)/holdfast audit --suite quick; code=$$?; \
	case $$code in 0|2|3) exit 0;; *) exit $$code;; esac

test: .venv/.test  ## run the tests
	@$(BIN)/python -m pytest -n 2 -q

lint: .venv/.test  ## check style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy --strict src

bench: .venv/.run  ## list the benchmark commands
	@ls bench/*.py

.venv/bin/python:
	@$(PYTHON) -m venv .venv

# torch first, so that its pinned build is the one everything else sees.
.venv/.run: pyproject.toml constraints.txt | .venv/bin/python
	@echo "Installing Holdfast into .venv; this takes some minutes the first time."
	@$(PIP) install torch==2.13.0
	@$(PIP) install -c constraints.txt -e '.[gate]'
	@touch $@

.venv/.test: .venv/.run
	@echo "Installing the test tools into .venv."
	@$(PIP) install -c constraints.txt -e '.[gate,test]'
	@touch $@

.PHONY: docs
docs: .venv/.run  ## write the pages that are made from the code
	@$(BIN)/python -m holdfast.pages
