# `make app` opens the app, `make test` runs the tests; both make the environment first if they must.

# Which interpreter makes .venv (3.11 or later).
PYTHON ?= python3
# Options for single runs: make test TESTS="tests/test_cli.py -x", make app APP="--port 9000"
TESTS ?=
APP ?=
SOAK ?=

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
# Written last, so an install that broke off does not count.
INSTALLED := .venv/.installed

.PHONY: app test coverage lint bench soak audit weights screenshots clean
.DELETE_ON_ERROR:

app: $(INSTALLED)
	$(BIN)/boxscope app $(APP)

# One process per core, four at most: each holds torch and may start a browser and a server. A file stays in
# one process, so that what it sets up (a server, a wheel, a model) is set up once.
test: $(INSTALLED)
	$(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile $(TESTS)

# The tests again, slower, with the lines counted that they reach in all processes. Measuring breaks a few tests
# itself (a full disk is full for its own file, too): what they reached counts nevertheless.
coverage: export COVERAGE_PROCESS_START := $(CURDIR)/pyproject.toml
coverage: export COVERAGE_FILE := $(CURDIR)/.coverage
coverage: $(INSTALLED)
	rm -f .coverage .coverage.*
	-$(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile $(TESTS)
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report

# No cache for the import linter: it misses a module that appears after the one importing it.
lint: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports --no-cache
	$(BIN)/pyright --warnings

# Every benchmark prints one table and writes JSON.
bench: $(INSTALLED)
	$(BIN)/python -m benchmarks

# Many people on one server for some minutes, on this machine only: make soak SOAK="--sessions 3 --seconds 30"
soak: $(INSTALLED)
	$(BIN)/python -m benchmarks.soak $(SOAK)

# Known vulnerabilities of what constraints.txt pins: a report, no gate.
audit: $(INSTALLED)
	$(BIN)/python .ci/audit.py

# Trains the bundled detector again: under 45 minutes on two cores.
weights: $(INSTALLED)
	$(BIN)/python -m detector.training.shapes_recipe

# Pictures of every page from the running app, for README and docs.
screenshots: $(INSTALLED)
	PYTHONPATH=tests $(BIN)/python -m support.screenshots

# The tool that builds the package comes first and pinned; pip would fetch its newest for itself otherwise.
$(INSTALLED): pyproject.toml constraints.txt
	@echo "Installing Boxscope into .venv (some minutes and 6 GB the first time)"
	$(PYTHON) -m venv .venv
	$(PIP) hatchling editables
	$(PIP) --no-build-isolation --editable '.[dev]'
	@touch $@

clean:
	rm -rf .venv dist build .hypothesis .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
