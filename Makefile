# make demo   sets up what it needs and runs the demonstration
# make test   sets up what it needs and runs everything that must pass
# make bench  measures, beside the reference in the same run

PYTHON ?= python3
RUN := .venv
DEV := .venv-dev
DEMO_FLAGS ?=

.PHONY: demo test check types style spark compiled bench docs clean setup-run setup-dev chromium

demo: setup-run
	$(RUN)/bin/hutong demo $(DEMO_FLAGS)

# Tests are compiled once for all workers, and the program once for all commands, also where the environment forbids it.
export PYTHONDONTWRITEBYTECODE =

# What one says stands together, where this make can do so.
UNMIXED := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)

# What needs one core or waits for the network stands beside another; Spark, whose time is limited, stands alone.
# Three workers on two cores: much of the time is spent waiting for a browser or another process.
test:
	$(MAKE) -j 2 setup-dev chromium
	$(MAKE) -j 2 $(UNMIXED) types style compiled
	$(DEV)/bin/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not spark"
	$(MAKE) spark

check: style types

types: setup-dev
	$(DEV)/bin/mypy

style: setup-dev
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/ruff check .
	$(DEV)/bin/lint-imports
	$(DEV)/bin/python -m hutong.web.i18n check

# Only what names the mark is read: reading all tests takes longer than Spark does.
spark: setup-dev
	$(DEV)/bin/python -m pytest -m spark $$(grep -rl --include='*.py' 'mark[.]spark' tests | sed 's|/conftest.py$$||' | sort)

compiled: setup-dev
	-@$(DEV)/bin/python -m pytest --collect-only -qq >/dev/null

bench: setup-dev
	$(DEV)/bin/python -m bench

docs: setup-dev
	$(DEV)/bin/python -m docs.generate

# The browser is Debian's: Playwright's own can't be had everywhere. Its absence is a failure in CI (see tests/conftest.py).
# Its headless shell, where it can be had, looks at most pages in a third of the time (see tests/chromium.py). Where it
# can't, that is asked once.
chromium:
	@command -v chromium >/dev/null 2>&1 \
	  && { command -v chromium-headless-shell >/dev/null 2>&1 || test -e $(DEV)/.chromium-asked; } || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
	    export DEBIAN_FRONTEND=noninteractive; apt-get update -qq; \
	    apt-get install -y -qq chromium chromium-headless-shell fonts-noto-cjk >/dev/null \
	      || apt-get install -y -qq chromium fonts-noto-cjk >/dev/null; \
	    touch $(DEV)/.chromium-asked 2>/dev/null; fi; \
	  command -v chromium >/dev/null 2>&1 \
	    || echo "make: Chromium is missing and could not be installed (only root can): the browser tests will NOT run" >&2; }

setup-run: $(RUN)/.done
setup-dev: $(DEV)/.done

$(RUN)/.done: requirements/run.txt requirements/install.sh pyproject.toml
	@sh requirements/install.sh "$(PYTHON)" $(RUN) requirements/run.txt
	@touch $@

$(DEV)/.done: requirements/dev.txt requirements/install.sh pyproject.toml
	@sh requirements/install.sh "$(PYTHON)" $(DEV) requirements/dev.txt
	@touch $@

clean:
	rm -rf $(RUN) $(DEV) build *.egg-info .mypy_cache .ruff_cache .hypothesis
