# Needs Python 3.11 or newer, make and git; everything else goes into .venv, from locks.
# Another interpreter: make test PYTHON=/path/to/python3.12

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

BIN := .venv/bin
UV := $(BIN)/uv
INSTALL := $(UV) pip install --quiet --compile-bytecode
COMPILE := $(UV) pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --no-header --quiet
MATRIX := 2.11 3.3 lowest

# Without bytecode every Airflow process compiles 1,600 modules again: twice the time.
unexport PYTHONDONTWRITEBYTECODE
# These would point uv at somebody else's environment or interpreter.
unexport VIRTUAL_ENV PYTHONHOME
export UV_PYTHON_DOWNLOADS := never
# uv brings its own certificate authorities; behind a company proxy only the system's will do, as for pip.
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt),)
export UV_SYSTEM_CERTS := true
endif

.PHONY: help demo airflow bench browser test test-e2e test-fire test-matrix lint readme format wheel wheel-check lock clean

help: #* Show this list
	@awk -F ':.*#[*] ' '/^[a-z0-9-]+:.*#[*] / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

demo: .venv/.ready #* Stop an emulated job from a DAG on a real Airflow, and check that it stopped
	@$(BIN)/python -m demo.run

airflow: .venv/.ready #* Start Airflow and an emulated DataWorks to click around in, until Ctrl-C
	@exec $(BIN)/python -m demo.explore

bench: .venv/.ready #* Measure calls, event loop, CPU, rate and imports against baselines (20 minutes, a quiet machine)
	@failed=; for name in import_cost blocking_call concurrent_tls watcher credential_refresh mapped_stops; do \
		$(BIN)/python -m benchmarks.$$name || failed=1; \
	done; $(BIN)/python benchmarks/windows.py || failed=1; test -z "$$failed"

test: .venv/.ready #* Run all tests on Airflow 3.3 (ARGS="-k word" for some of them)
	@$(BIN)/python -m pytest $(ARGS)

test-e2e: .venv/.ready browser #* Kill workers of a real Airflow; look at form and pages in a browser (10 minutes)
	@$(BIN)/python -m pytest -m e2e --ignore tests/e2e $(ARGS)
	@$(BIN)/python -m pytest -m e2e tests/e2e $(ARGS)

# The fonts' package is for machines without any: Chromium would draw empty boxes.
browser: #* See that there is a Chromium for the tests; install Debian's if possible
	@if command -v chromium || command -v chromium-browser || command -v google-chrome; then exit 0; fi >/dev/null; \
	if ! command -v apt-get >/dev/null || [ "$$(id -u)" -ne 0 ]; then \
		echo 'The browser tests need Chromium, and it was not found. Install it (Debian: apt-get install chromium' \
			'fonts-dejavu-core, as root), so that chromium, chromium-browser or google-chrome is on PATH.' >&2; \
		exit 1; \
	fi; \
	echo 'Installing Chromium for the browser tests (once, about 20 seconds)'; \
	export DEBIAN_FRONTEND=noninteractive; \
	{ apt-get update && apt-get install --yes --no-install-recommends chromium fonts-dejavu-core; } >/dev/null

test-fire: .venv/.ready #* Live through 10,000 random schedules (ARGS="--seed N" for one; 6 minutes on two cores)
	@PYTHONPATH=tests $(BIN)/python -m campaign $(ARGS)

test-matrix: $(MATRIX:%=matrix-%) matrix-next #* Try the wheel on Airflow 2.11, 3.3, the lowest versions, and the next Airflow

lint: .venv/.ready #* Ruff (rules and format) and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

readme: .venv/.ready #* Write README's contents, quoted examples and table of troubles anew, from their sources
	$(BIN)/python docs/readme.py

format: .venv/.ready #* Let ruff correct what it can
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

wheel: .venv/.ready #* Build the wheel and the source archive into dist/
	@rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist .

wheel-check: .venv/.ready #* Install wheel and source archive into clean environments and ask Airflow about them
	$(BIN)/python -m pytest tests/packaging

lock: .venv/.ready #* Resolve requirements/*.txt anew (needs the package index)
	$(COMPILE) requirements/airflow-3.3.in --upgrade -o requirements/airflow-3.3.txt
	$(COMPILE) requirements/airflow-2.11.in --upgrade -o requirements/airflow-2.11.txt
	$(COMPILE) --resolution lowest-direct --upgrade -o requirements/airflow-lowest.txt

clean: #* Remove environments and everything else that can be made again
	rm -rf .venv .venv-matrix build dist htmlcov .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment

.venv/.locked: requirements/airflow-3.3.txt
	@for python in $(PYTHON) python3.11 python3.12 python3.13 python3; do \
		"$$python" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && break; \
		python=; \
	done; \
	if [ -z "$$python" ]; then \
		echo 'Python 3.11 or newer with its venv module is needed and was not found.' \
			'Install it (Debian: python3.11 and python3.11-venv) or name it: make PYTHON=/path/to/python3.11' >&2; \
		exit 1; \
	fi; \
	echo "Building .venv with $$("$$python" --version) (once, about 20 seconds)"; \
	"$$python" -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.13,<1'
	@$(INSTALL) --python $(BIN)/python --require-hashes -r requirements/airflow-3.3.txt
	@touch $@

.venv/.ready: .venv/.locked pyproject.toml airflow_provider_dataworks/__init__.py
	@$(INSTALL) --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

# The matrix: one environment per Airflow, with the built wheel in it

say_versions = .venv-matrix/$(1)/bin/python -c 'import sys; from importlib.metadata import version; \
	print("== Airflow", version("apache-airflow"), "on Python", sys.version.split()[0], flush=True)'

.PRECIOUS: .venv-matrix/%/.locked
.venv-matrix/%/.locked: requirements/airflow-%.txt | .venv/.ready
	@$(UV) venv --quiet --clear --python $(BIN)/python .venv-matrix/$*
	@$(INSTALL) --python .venv-matrix/$*/bin/python --require-hashes -r requirements/airflow-$*.txt
	@touch $@

matrix-%: .venv-matrix/%/.locked wheel
	@$(INSTALL) --python .venv-matrix/$*/bin/python --no-deps --reinstall dist/*.whl
	@$(call say_versions,$*)
	@.venv-matrix/$*/bin/pytest -m matrix -o filterwarnings=default tests/matrix

# Not locked and allowed to fail: it tells early what the next Airflow will break.
matrix-next: wheel
	@$(UV) venv --quiet --clear --python $(BIN)/python .venv-matrix/next
	@if ! $(INSTALL) --python .venv-matrix/next/bin/python --prerelease allow 'apache-airflow>=3.4.0b1' \
			"$$(ls dist/*.whl)[dev]"; then \
		echo "== No Airflow newer than 3.3 could be installed: not tried. This fails nothing."; \
	elif $(call say_versions,next); ! .venv-matrix/next/bin/pytest -m matrix -o filterwarnings=default tests/matrix; then \
		echo "== The package does NOT work on the next Airflow, see above. This fails nothing."; \
	fi
