# make demo | test | test-trainers | test-browser | vocabularies | test-vocabularies | lint | docs | bench | figures | figures-check: each sets up .venv first, demo without what only developers need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PLAIN := $(VENV)/.installed-plain
STAMP := $(VENV)/.installed

.PHONY: demo test test-trainers test-browser vocabularies test-vocabularies lint docs bench release-check figures figures-check clean

demo: $(PLAIN)
	$(BIN)/lprl demo

test: lint docs
	$(BIN)/python -m pytest -n 2 --dist worksteal --durations 25

test-trainers: $(STAMP)
	$(BIN)/python -m pip install --quiet --editable ".[trainers]"
	$(BIN)/python -m pytest -m trainers tests/trainers

# Needs a Chromium on the PATH.
test-browser: docs
	$(BIN)/python -m pytest -n 2 -m browser tests/browser

# Into .vocabularies/, which git ignores; what is there is kept.
vocabularies: $(STAMP)
	PYTHONPATH=tests $(BIN)/python -m vocabularies.make

test-vocabularies: vocabularies
	$(BIN)/python -m pytest -n 2 --dist worksteal -m vocabularies tests/vocabularies

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/pyright

# The site, in build/site; a warning is an error.
docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: $(STAMP)
	$(BIN)/python bench/throughput.py --quick

# A wheel and an sdist as they would be published, tried where nothing of this tree is found, by each
# of these versions or interpreters; of a version that the machine lacks, dependencies are resolved.
PYTHONS ?= $(PYTHON) 3.12 3.13 3.14
release-check: $(STAMP)
	rm -rf build/release
	$(BIN)/python -m build --outdir build/release . > /dev/null
	$(BIN)/python tests/released.py build/release $(PYTHONS)

# Writes README.md, docs/results.md and others; the other says what is wrong with them.
figures: $(STAMP)
	$(BIN)/python docs/figures.py

figures-check: $(STAMP)
	$(BIN)/python docs/figures.py --check

$(PLAIN): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "lprl-jax needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Name another one: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(STAMP): $(PLAIN)
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	@touch $@

clean:
	rm -rf $(VENV) results build dist
