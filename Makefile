# What there is to do here. Each target sets up what it needs; .venv is the only place it goes to.

.DEFAULT_GOAL := help
.PHONY: help run test test-compiled check bench bench-quick docs dist compiled clean
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
SHELL := /bin/sh

PY := .venv/bin/python
PIP := $(PY) -m pip --quiet --disable-pip-version-check --no-input
APT := DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300
COMPILED_TESTS := tests/test_compiled.py tests/test_address.py tests/smtp tests/message tests/hooks \
	tests/drivers tests/fuzz tests/faults tests/dialogs tests/interop
GATED := src/qpsmtpd/smtp/*,src/qpsmtpd/hooks/*,src/qpsmtpd/message/*,src/qpsmtpd/config/*

# Debian's Python first, then whatever is found; make PYTHON=/path/to/python says otherwise
PYTHON ?= $(shell for python in /usr/bin/python3 python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)

help:  ## print this list
	@sed -n 's/^\([a-z-]*\):.*##/\1\t/p' Makefile | while IFS="$$(printf '\t')" read -r name text; do \
	printf '  make %-13s %s\n' "$$name" "$$text"; done

run: .venv/.run  ## set up, and start the daemon on 127.0.0.1:2525
	@exec .venv/bin/qpsmtpd run

test: .venv/.dev  ## set up, and pass every test; as root on Debian with real servers and clients
	@tests/install_servers
	@$(PY) -m coverage run -m pytest
	@mkdir -p build
	@$(PY) -m coverage report --include='$(GATED)' --skip-covered --fail-under=100 >build/coverage.txt || { \
	    cat build/coverage.txt; echo 'smtp, hooks, message and config are to be tested to the last branch' >&2; exit 1; }

check: .venv/.dev  ## format, lint, types, layers, docs in step: the quick half of what CI runs
	@$(PY) -m ruff format --check --quiet . || { \
	    echo 'not formatted: run $(PY) -m ruff format .' >&2; exit 1; }
	@$(PY) -m ruff check --quiet .
	@$(PY) -m mypy --no-error-summary
	@$(PY) -m mypy --no-error-summary --strict tests/typing/api.py docs/generate.py
	@$(PY) -m pytest tests/test_layers.py tests/test_docs.py tests/test_repository.py

bench: .venv/.dev build/compiled/.done  ## measure, and compare with other servers (installs them, as root on Debian)
	@if [ "$$(id -u)" -eq 0 ] && [ -e /etc/debian_version ]; then sh bench/install.sh; fi
	@$(PY) -m bench

bench-quick: .venv/.dev  ## measure every server that is installed, in under a minute
	@$(PY) -m bench --quick

docs: .venv/.dev  ## write the generated pages of docs/ again
	@$(PY) docs/generate.py

dist: .venv/.dev  ## build the source archive and the wheel into dist/
	@$(PIP) install 'hatchling>=1.27'
	@$(PY) -m hatchling build -d dist

compiled: build/compiled/.done  ## build and install a compiled qpsmtpd into build/compiled

test-compiled: .venv/.dev build/compiled/.done  ## pass the tests of the compiled part
	@PYTHONPATH="$$(echo $(CURDIR)/build/compiled/lib/python3.*/site-packages)" QPSMTPD_COMPILED=1 \
	    $(PY) -m pytest -m 'not pure' $(COMPILED_TESTS)

clean:  ## remove what the other targets made (not run/, which may hold mail)
	rm -rf .venv build dist .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find src tests bench docs -name __pycache__ -type d -prune -exec rm -rf {} +

# --- compiled ---------------------------------------------------------------------------------

# Out of a source archive, since what is compiled in place would be found before the sources.
build/compiled/.done: .venv/.python pyproject.toml $(shell find src -name '*.py')
	@cc --version >/dev/null 2>&1 && [ -e "$$($(PY) -c \
	    'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" ] || { \
	    if [ "$$(id -u)" -eq 0 ] && [ -e /etc/debian_version ]; then \
	        echo 'installing gcc and python3-dev'; \
	        { $(APT) install -y gcc python3-dev || { $(APT) update && $(APT) install -y gcc python3-dev; }; } \
	            >/dev/null 2>&1; \
	    else false; fi; } || { \
	    echo 'a C compiler and the headers of Python are needed (Debian: apt-get install gcc python3-dev)' >&2; exit 1; }
	@echo 'compiling into build/compiled: about two minutes'
	@rm -rf build/compiled build/sdist
	@$(PIP) install 'hatchling>=1.27'
	@$(PY) -m hatchling build -t sdist -d build/sdist >/dev/null
	@$(PY) -m venv build/compiled
	@HATCH_BUILD_HOOK_ENABLE_MYPYC=true build/compiled/bin/python -m pip install --quiet \
	    --disable-pip-version-check --no-input build/sdist/*.tar.gz || { rm -rf build/compiled; \
	    echo 'could not compile: see above' >&2; exit 1; }
	@touch $@

# --- set-up -----------------------------------------------------------------------------------

# The stamp names this directory: what was installed for another place is installed again.
$(shell [ "$$(cat .venv/.python 2>/dev/null)" = '$(CURDIR)' ] && [ -x $(PY) ] || rm -f .venv/.python)

# An interpreter with pip; one that was left half made, or whose Python is gone, is made anew.
.venv/.python:
	@if [ -z '$(PYTHON)' ]; then \
	    echo 'No Python 3.11 or later was found: install python3, or run make PYTHON=/path/to/python' >&2; exit 1; fi
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    if [ "$$(id -u)" -eq 0 ] && [ -e /etc/debian_version ]; then \
	        echo 'installing python3-venv'; \
	        { $(APT) install -y python3-venv || { $(APT) update && $(APT) install -y python3-venv; }; } >/dev/null 2>&1; \
	        $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; \
	    else false; fi; } || { \
	    echo '$(PYTHON) has no venv module: install it (Debian: apt-get install python3-venv), then run make again' >&2; exit 1; }
	@$(PY) -m pip --version >/dev/null 2>&1 || { \
	    echo 'setting up .venv with $(PYTHON)'; \
	    $(PYTHON) -m venv --clear .venv || { rm -rf .venv; \
	    echo 'could not make .venv here: see above' >&2; exit 1; }; }
	@echo '$(CURDIR)' >$@

.venv/.run: .venv/.python pyproject.toml
	@$(PIP) install --editable . || { \
	    echo 'pip could not install what qpsmtpd needs: see above; then run make again' >&2; exit 1; }
	@touch $@

.venv/.dev: .venv/.python pyproject.toml
	@echo 'installing what the tests need into .venv'
	@$(PIP) install --editable '.[dev,http]' || { \
	    echo 'pip could not install what the tests need: see above; then run make again' >&2; exit 1; }
	@touch $@ .venv/.run
