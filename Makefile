# Everything here needs only python3, 3.11 or newer, with its venv module.

PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK = 1
export PYTHONUNBUFFERED = 1

.PHONY: help install run test test-fast lint bench prove screenshots

help:
	@echo "make run      start the site, with demo data when it is empty"
	@echo "make install  only install what the site needs, into .venv"
	@echo "make test     run the tests"
	@echo "make test-fast  run all but the slow ones, within a minute"
	@echo "make lint     check style, types, layers and migrations"
	@echo "make prove    compare answers with the log for minutes, under fire: writers, rollers, crashes"
	@echo "make screenshots  take pictures of every page, into var/screenshots; README=1 takes those of the README again"
	@echo "make bench    measure it on 1 M and 10 M calls (half an hour); CALLS=\"10000 100000\" DAY=10000 SEND=10000 to try it"

install: .venv/installed

run: .venv/installed
	@.venv/bin/python manage.py migrate --verbosity 0
	@.venv/bin/python manage.py demo
	@.venv/bin/python manage.py collectstatic --noinput --verbosity 0
	@exec .venv/bin/python -m honcho --env /dev/null --no-prefix start --port "$${PORT:-8000}"

test: .venv/installed-dev
	@.venv/bin/python -m pytest --numprocesses 2 --dist worksteal

test-fast: .venv/installed-dev
	@.venv/bin/python -m pytest --numprocesses 2 --dist worksteal -m "not slow"

lint: .venv/installed-dev
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy aggregates usagesite
	.venv/bin/lint-imports
	.venv/bin/python manage.py check --fail-level WARNING --settings tests.settings
	.venv/bin/python manage.py makemigrations --check --dry-run --settings tests.settings

prove: .venv/installed-dev
	@.venv/bin/python -m tests.proof

bench: .venv/installed-dev
	@.venv/bin/python -m tests.bench $(if $(CALLS),--calls $(CALLS)) $(if $(DAY),--day $(DAY)) $(if $(SEND),--send $(SEND))

screenshots: .venv/installed-dev
	@.venv/bin/python -m tests.screenshots $(if $(README),--readme)

.venv/installed: requirements.txt package-lock.json
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed." if sys.version_info < (3, 11) else 0)'
	@echo "Installing into .venv ..."
	@$(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install --quiet --requirement requirements.txt
	@.venv/bin/npm ci --silent --no-audit --no-fund
	@touch $@

.venv/installed-dev: .venv/installed requirements-dev.txt
	@echo "Installing what tests and checks need ..."
	@.venv/bin/python -m pip install --quiet --requirement requirements-dev.txt
	@touch $@
