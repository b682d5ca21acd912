# Two commands matter: `make run` (the whole loop in a simulated world) and `make test`.
# Everything lives in .venv; a stamp per lock file makes the second run start at once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
MANIFEST := dbt_project/target/manifest.json
# Whole files go to a worker, so that what the tests of a file share is made once; tests/conftest.py puts the longest first.
WORKERS ?= 2
SIDE_BY_SIDE := -n $(WORKERS) --dist loadfile --no-loadscope-reorder
DBT_FILES := $(shell find dbt_project -name '*.sql' -o -name '*.yml' -o -name '*.csv' 2>/dev/null | grep -v '/target/')

.PHONY: run test test-spark quick dev lint types lock clean

run: $(STAMP) $(MANIFEST)
	$(BIN)/loop demo

test: $(STAMP) $(MANIFEST)
	$(BIN)/python -m pytest $(SIDE_BY_SIDE)

quick: $(STAMP) $(MANIFEST)
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not slow"

test-spark: $(STAMP) $(MANIFEST)
	$(BIN)/python -m uv pip install --quiet --require-hashes -r .ci/spark.lock --python $(BIN)/python
	$(BIN)/python -m pytest -m spark

dev: $(STAMP) $(MANIFEST)
	$(BIN)/loop dev

lint: $(STAMP) $(MANIFEST)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	mkdir -p dbt_project/target/lint
	cd dbt_project && DO_NOT_TRACK=1 DBT_TARGET_PATH=target/lint LOOP_DATABASE=target/lint/loop.duckdb \
		../$(BIN)/sqlfluff lint models --processes 1

# uv installs in seconds; where it cannot be had, pip does the same from the same hashes. Compiled once, every command starts in half the time.
$(STAMP): requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv || true
	if $(BIN)/python -m uv --version >/dev/null 2>&1; then \
		VIRTUAL_ENV=$(VENV) $(BIN)/python -m uv pip install --quiet --compile-bytecode --require-hashes -r requirements.lock && \
		VIRTUAL_ENV=$(VENV) $(BIN)/python -m uv pip install --quiet --no-deps -e . ; \
	else \
		$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock && \
		$(BIN)/python -m pip install --quiet --no-deps -e . ; \
	fi
	$(BIN)/python -m compileall -q orchestration
	touch $@

$(MANIFEST): $(STAMP) $(DBT_FILES)
	$(BIN)/loop manifest

lock: $(STAMP)
	$(BIN)/python -m uv pip compile pyproject.toml --extra dev --extra metrics --universal --python-version 3.11 \
		--generate-hashes --no-strip-extras --no-header --no-annotate -o requirements.lock
	$(BIN)/python -m uv pip compile pyproject.toml --extra dev --extra metrics --extra spark -c requirements.lock --universal \
		--python-version 3.11 --generate-hashes --no-strip-extras --no-header --no-annotate -o .ci/spark.lock

clean:
	rm -rf $(VENV) dbt_project/target dbt_project/logs warehouse/data
