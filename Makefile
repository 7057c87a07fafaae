# Needs Python 3.11 or newer, make and git; everything else goes into .venv, in the versions that requirements/ pins.
# Another interpreter: make test PYTHON=/path/to/python3.12

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

BIN := .venv/bin
UV := $(BIN)/uv
INSTALL := $(UV) pip install --quiet --compile-bytecode
COMPILE := $(UV) pip compile --universal --python-version 3.11 --no-emit-index-url --no-annotate --no-header --quiet --upgrade

# Each Airflow that is tested, with the day after its release; see requirements/README.md.
DAYS := 2.11.0=2025-05-21 2.11.2=2026-03-15 3.0.6=2025-08-30 3.1.8=2026-03-12 3.2.2=2026-05-30 3.3.2=2026-09-18
# With what a constraint file pins beyond Airflow itself, to have what this package shares with other providers.
BESIDE := apache-airflow-providers-alibaba apache-airflow-providers-fab
TOOLS_DAY := 2026-11-24
LINES := $(foreach pair,$(DAYS),$(firstword $(subst =, ,$(pair)))) lowest
# The Airflow of .venv: of the demo and of all tests.
AIRFLOW := 3.3.2
# Older ones that have the page, which tests look at in a browser.
PAGE_LINES := 3.1.8 3.2.2
BROWSER_TOOLS := playwright axe-playwright-python
# Processes of pytest: one more than there are cores, since tests of waits leave them idle.
WORKERS = -n $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1) --maxprocesses 4 --dist loadfile
PINS = -c requirements/constraints-$(1).txt -c requirements/tools.txt

# Without bytecode every Airflow process compiles 1,600 modules again: twice the time.
unexport PYTHONDONTWRITEBYTECODE
# These would point uv at somebody else's environment or interpreter.
unexport VIRTUAL_ENV PYTHONHOME
export UV_PYTHON_DOWNLOADS := never
# uv brings its own certificate authorities; behind a company proxy only the system's will do, as for pip.
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt),)
export UV_SYSTEM_CERTS := true
endif

.PHONY: help demo airflow bench browser proxy servers test test-e2e test-e2e-next test-e2e-page test-cluster test-fire
.PHONY: test-matrix matrix-next lint docs pages pictures format wheel wheel-check lock clean
.PHONY: $(LINES:%=matrix-%) $(PAGE_LINES:%=page-%)

help: #* Show this list
	@awk -F ':.*#[*] ' '/^[a-z0-9-]+:.*#[*] / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

demo: .venv/.ready #* Stop an emulated job from a DAG on a real Airflow, and check that it stopped
	@$(BIN)/python -m demo.run

airflow: .venv/.ready #* Start Airflow and an emulated DataWorks to click around in, until Ctrl-C
	@exec $(BIN)/python -m demo.explore

bench: .venv/.ready #* Measure calls, event loop, CPU, rate and imports against baselines (25 minutes, a quiet machine)
	@failed=; for name in import_cost blocking_call watcher credential_refresh mapped_stops machines; do \
		$(BIN)/python -m benchmarks.$$name || failed=1; \
	done; for name in windows page; do $(BIN)/python benchmarks/$$name.py || failed=1; done; test -z "$$failed"

test: .venv/.ready #* Test on Airflow 3.3, without starting one (ARGS="-k word" for some of the tests)
ifdef ARGS
	@$(BIN)/python -m pytest $(ARGS)
else
	@# The campaign sets the clock of its whole process, which threads of other tests would disturb.
	@$(BIN)/python -m pytest tests/campaign
	@$(BIN)/python -m pytest $(WORKERS) --ignore tests/campaign
endif

test-e2e: .venv/.ready browser proxy #* Kill workers of a real Airflow; look at form and pages in a browser (10 minutes)
	@$(BIN)/python -m pytest -m "e2e or slow" --ignore tests/e2e --ignore tests/packaging $(ARGS)
	@$(BIN)/python -m pytest -m e2e tests/e2e $(ARGS)

test-e2e-next: wheel proxy browser #* Clear exactly one task instance on the next Airflow, and look at the page (6 minutes)
	@$(next_env)
	@$(INSTALL) --python $(call ENV,next)/bin/python $(BROWSER_TOOLS)
	@$(call ENV,next)/bin/python -m pytest -m e2e -o filterwarnings=default tests/e2e/test_cleared.py \
		tests/e2e/test_cleared_exactly.py tests/e2e/test_page.py $(ARGS)

test-e2e-page: $(PAGE_LINES:%=page-%) #* Look at the page in older Airflows, in a browser (one: make page-3.1.8)

$(PAGE_LINES:%=page-%): page-%: requirements/constraints-%.txt requirements/tools.txt wheel browser
	@$(call matrix_env,$*)
	@$(INSTALL) --python $(call ENV,$*)/bin/python $(call PINS,$*) $(BROWSER_TOOLS)
	@$(call ENV,$*)/bin/python -m pytest -m e2e -o filterwarnings=default tests/e2e/test_page.py $(ARGS)

test-cluster: .venv-cluster/.ready servers #* Kill parts of an Airflow with Celery, PostgreSQL and Redis (10 minutes)
	@.venv-cluster/bin/python -m pytest -m cluster -s tests/cluster $(ARGS)

servers: #* See that there are PostgreSQL and Redis for the cluster; install Debian's if possible
	@if command -v redis-server && ls /usr/lib/postgresql/*/bin/initdb || command -v redis-server initdb; then exit 0; fi \
		>/dev/null 2>&1; \
	if ! command -v apt-get >/dev/null || [ "$$(id -u)" -ne 0 ]; then \
		echo 'The cluster needs PostgreSQL and Redis, and one was not found. Install them (Debian: apt-get install' \
			'postgresql redis-server, as root); neither has to run.' >&2; \
		exit 1; \
	fi; \
	echo 'Installing PostgreSQL and Redis for the cluster (once, about 10 seconds)'; \
	export DEBIAN_FRONTEND=noninteractive; \
	{ apt-get update && apt-get install --yes --no-install-recommends postgresql redis-server; } >/dev/null

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

proxy: #* See that there is a tinyproxy for the tests; install Debian's if possible
	@if command -v tinyproxy >/dev/null; then exit 0; fi; \
	if ! command -v apt-get >/dev/null || [ "$$(id -u)" -ne 0 ]; then \
		echo 'The test of a real proxy needs tinyproxy, and it was not found. Install it (Debian: apt-get install' \
			'tinyproxy-bin, as root), so that tinyproxy is on PATH.' >&2; \
		exit 1; \
	fi; \
	echo 'Installing tinyproxy for the test of a real proxy (once, a few seconds)'; \
	export DEBIAN_FRONTEND=noninteractive; \
	{ apt-get update && apt-get install --yes --no-install-recommends tinyproxy-bin; } >/dev/null

test-fire: .venv/.ready #* Live through 10,000 random schedules (ARGS="--seed N" for one; 6 minutes on two cores)
	@PYTHONPATH=tests:tests/support $(BIN)/python -m campaign $(ARGS)

test-matrix: $(LINES:%=matrix-%) matrix-next #* Test the wheel on each Airflow that is supported (one: make matrix-3.1.8 [PYTHON=...])

lint: .venv/.ready #* Ruff (rules and format) and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: .venv/.ready #* Build the documentation into build/docs, without a network, and test it: links, names, code blocks
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --clean --config-file docs/mkdocs.yml
	@$(BIN)/python -m pytest -m "not e2e" tests/docs $(ARGS)

pages: .venv/.ready #* Write the derived parts of README and of the pages anew, from their sources
	$(BIN)/python docs/derive.py

pictures: .venv/.ready browser #* Take the screenshots of the documentation anew, light and dark (2 minutes)
	@PYTHONPATH=. $(BIN)/python docs/pictures.py
	@$(BIN)/python docs/page_pictures.py

format: .venv/.ready #* Let ruff correct what it can
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

wheel: .venv/.ready #* Build the wheel and the source archive into dist/
	@rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist .

wheel-check: .venv/.ready #* Install wheel and source archive into clean environments, with each Airflow's constraints
	@$(BIN)/python -m pytest -m "not matrix and not e2e" tests/packaging $(ARGS)

lock: .venv/.ready #* Resolve requirements/*.txt anew (needs the package index)
	@for pair in $(DAYS); do \
		printf '%s\n' "apache-airflow==$${pair%=*}" $(BESIDE) | $(COMPILE) - \
			--exclude-newer "$${pair#*=}" -o "requirements/constraints-$${pair%=*}.txt" || exit 1; \
	done
	@$(COMPILE) pyproject.toml --extra credentials --extra emulator --resolution lowest-direct \
		--exclude-newer $(firstword $(filter 20%,$(subst =, ,$(DAYS)))) -o requirements/constraints-lowest.txt
	@$(COMPILE) pyproject.toml --extra dev --extra docs -c requirements/constraints-$(AIRFLOW).txt --exclude-newer $(TOOLS_DAY) \
		-o requirements/tools.all
	@grep -vxFf requirements/constraints-$(AIRFLOW).txt requirements/tools.all > requirements/tools.txt
	@printf '%s\n' $(CLUSTER) | $(COMPILE) - -c requirements/constraints-$(AIRFLOW).txt \
		--exclude-newer $(patsubst $(AIRFLOW)=%,%,$(filter $(AIRFLOW)=%,$(DAYS))) -o requirements/cluster.all
	@grep -vxFf requirements/constraints-$(AIRFLOW).txt requirements/cluster.all > requirements/cluster.txt
	@rm requirements/tools.all requirements/cluster.all

clean: #* Remove environments and everything else that can be made again
	rm -rf .venv .venv-matrix .venv-cluster build dist htmlcov .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment

.venv/.locked: requirements/constraints-$(AIRFLOW).txt requirements/tools.txt
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
	@$(INSTALL) --python $(BIN)/python -r pyproject.toml --extra dev --extra docs $(call PINS,$(AIRFLOW))
	@touch $@

.venv/.ready: .venv/.locked pyproject.toml airflow_provider_dataworks/__init__.py
	@$(INSTALL) --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

# The cluster: what .venv has, and Airflow's providers for its parts

CLUSTER := $(addprefix apache-airflow-providers-,celery postgres redis)

.venv-cluster/.ready: .venv/.ready requirements/cluster.txt
	@echo 'Building .venv-cluster (once, about 20 seconds)'
	@$(UV) venv --quiet --clear --python $(BIN)/python .venv-cluster
	@$(INSTALL) --python .venv-cluster/bin/python $(call PINS,$(AIRFLOW)) -c requirements/cluster.txt $(CLUSTER) $(TOOLS) \
		hatchling editables -r pyproject.toml --extra emulator
	@$(INSTALL) --python .venv-cluster/bin/python --no-deps --no-build-isolation --editable .
	@touch $@

# The matrix: one environment per Airflow, with the built wheel in it, on the Python of .venv or on PYTHON

ENV = .venv-matrix/$(1)$(if $(PYTHON),-$(notdir $(PYTHON)))
# What the tests of the matrix need; the vendor's SDKs want newer packages than most of these constraints allow.
TOOLS := pytest pytest-asyncio pytest-xdist hypothesis
# The one Airflow that draws connection forms only with it.
TOOLS_3.0.6 := apache-airflow-providers-fab
TESTS := $(addprefix tests/,matrix operators sensors triggers hooks links page timetables windows cli \
	test_exceptions.py test_maintenance.py test_maintenance_work.py test_records.py test_retries.py)
TESTS_lowest := tests/client

# Behind all else on the path stands this tree: processes that a test starts find the test there, and the package, which
# stands before it, as it was installed.
last_on_path = $(call ENV,$(1))/bin/python -c 'import os, site; \
		open(os.path.join(site.getsitepackages()[0], "tree.pth"), "w").write(os.getcwd())'

# An old Airflow warns of itself.
run_matrix = $(call ENV,$(1))/bin/python -c 'import sys; from importlib.metadata import version; \
		print("== Airflow", version("apache-airflow"), "on Python", sys.version.split()[0], flush=True)' && \
	$(call ENV,$(1))/bin/pytest -m 'not e2e' $(WORKERS) -o filterwarnings=default \
		$(TESTS) $(TESTS_$(1)) $(ARGS)

$(LINES:%=matrix-%): matrix-%: requirements/constraints-%.txt requirements/tools.txt wheel
	@$(call matrix_env,$*)
	@$(call last_on_path,$*)
	@$(call run_matrix,$*)

# Not pinned and allowed to fail: it tells early what the next Airflow will break.
matrix-next: wheel
	@if ! { $(next_env); }; then \
		echo "== No Airflow newer than $(AIRFLOW) could be installed: not tried. This fails nothing."; \
	elif ! { $(call last_on_path,next) && $(call run_matrix,next); }; then \
		echo "== The package does NOT work on the next Airflow, see above. This fails nothing."; \
	fi

matrix_env = $(UV) venv --quiet --clear --python $(or $(PYTHON),$(BIN)/python) $(call ENV,$(1)) && \
	$(INSTALL) --python $(call ENV,$(1))/bin/python $(call PINS,$(1)) $(TOOLS) $(TOOLS_$(1)) \
		"$$(ls dist/*.whl)[credentials,emulator]"

next_env = $(UV) venv --quiet --clear --python $(or $(PYTHON),$(BIN)/python) $(call ENV,next) && \
	$(INSTALL) --python $(call ENV,next)/bin/python --prerelease allow 'apache-airflow>=3.4.0b1' $(TOOLS) \
		"$$(ls dist/*.whl)[credentials,emulator]"
