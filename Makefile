# make demo   set up and show the whole path          make test   set up and run the test suite
# make lint   format, lint, types, import contract    make bench  measure (docs/performance.md)
# make lock   renew the lock files                    make man    write the manual page, build/publisher.1
# make clean  take away what was made
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input -q

.PHONY: demo test slow lint bench lock man clean venv

demo: $(VENV)/run.stamp
	$(BIN)/publisher demo

venv: $(VENV)/run.stamp

test: $(VENV)/test.stamp
	$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder -m 'not slow' $(TESTS)

# Tests that take longer than a minute; CI runs them too.
slow: $(VENV)/test.stamp
	$(BIN)/pytest -m slow -n auto --dist loadfile || test $$? = 5  # 5: none collected

lint: $(VENV)/test.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/test.stamp
	$(BIN)/python bench/main_job.py

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "publisher needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

# Installed once; again only when the lock file or the project's metadata change. Modules are compiled, as pip does with
# those of a wheel: else each start would do it anew where nobody may write bytecode.
$(VENV)/run.stamp: requirements.lock pyproject.toml | $(BIN)/python
	$(PIP) install --require-hashes -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q publisher
	@touch $@

$(VENV)/test.stamp: requirements-test.lock $(VENV)/run.stamp
	$(PIP) install --require-hashes -r requirements-test.lock
	@touch $@

man: $(VENV)/run.stamp
	@mkdir -p build
	$(BIN)/python -m publisher.cli.reference man > build/publisher.1
	@echo "build/publisher.1: install it below share/man/man1, or read it with: man -l build/publisher.1"

lock:
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --extra build pyproject.toml -o requirements.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --extra build --extra test -c requirements.lock pyproject.toml -o requirements-test.lock

clean:
	rm -rf $(VENV) build dist data/demo .mypy_cache .ruff_cache .import_linter_cache .hypothesis test-artefacts
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
