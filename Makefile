# What a person types and what CI runs. `make check` is CI; fast checks come first.

PYTHON ?= python3
BIN := .venv/bin
STRESS_SECONDS ?= 60
SOAK_MINUTES ?= 60
FUZZ_MINUTES ?= 10

.NOTPARALLEL:
.PHONY: help install demo test test-jit test-nojit check format format-check lint types layers \
	tidy size bench stress soak fuzz clean

help: ## the targets, as here
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-14s %s\n", $$1, $$2 }' Makefile

install: .venv/installed ## .venv with everything, so that .venv/bin/mantra runs

demo: .venv/runs ## the whole engine on simulated data, and its report
	$(BIN)/mantra demo

test: test-jit test-nojit ## the suite twice: as machine code, and uncompiled

test-jit: install
	$(BIN)/pytest -n auto --dist loadfile -m 'not processes' --durations=10
	$(BIN)/pytest -m processes --durations=10

test-nojit: install
	NUMBA_DISABLE_JIT=1 $(BIN)/pytest -n auto --dist loadfile -m 'not processes' --durations=5
	NUMBA_DISABLE_JIT=1 $(BIN)/pytest -m processes --durations=5

check: format-check lint types layers tidy size test ## all that CI checks

format: install ## rewrite the sources in the one format
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

format-check: install
	$(BIN)/ruff format --check .

lint: install ## ruff
	$(BIN)/ruff check .

types: install ## mypy
	$(BIN)/mypy

layers: install ## imports only point down
	$(BIN)/lint-imports

tidy: install ## the rules no linter knows
	$(BIN)/python tools/tidy.py

size: install ## lines by room, and the limits on them
	$(BIN)/python tools/size.py

bench: install ## every bench and its bars
	@failed=; \
	for name in $$($(BIN)/python -c 'from mantra.bench.harness import BENCHES; print(*BENCHES)'); do \
		$(BIN)/mantra bench $$name || failed="$$failed $$name"; \
	done; \
	test -z "$$failed" || { echo "bars that do not hold:$$failed" >&2; exit 1; }

stress: install ## the tests between processes, over and over for STRESS_SECONDS
	@end=$$(($$(date +%s) + $(STRESS_SECONDS))); \
	while :; do \
		$(BIN)/pytest -m processes || exit 1; \
		[ $$(date +%s) -lt $$end ] || exit 0; \
	done

soak: install ## five venues in chaos for SOAK_MINUTES; then stress and the pipeline in turns
	$(BIN)/python -m tests.market_data.soak --minutes $(SOAK_MINUTES)
	@end=$$(($$(date +%s) + 60 * $(SOAK_MINUTES))); \
	while :; do \
		$(MAKE) --no-print-directory stress || exit 1; \
		$(BIN)/mantra bench pipeline || exit 1; \
		[ $$(date +%s) -lt $$end ] || exit 0; \
	done

fuzz: install ## hostile bytes for scanner, codecs, decimals and frames, for FUZZ_MINUTES
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[fuzz]'
	$(BIN)/python -m tests.fuzz $$((60 * $(FUZZ_MINUTES)))

clean: ## remove all that make made, runs/ excepted
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist
	find src tests tools -name __pycache__ -type d -prune -exec rm -rf {} +

# `runs` is enough for the demo; `installed` adds what developers and benches need on top.
.venv/installed: pyproject.toml .venv/runs
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,bench]'
	@touch $@

.venv/runs: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Mantra needs Python 3.11 or later, and $(PYTHON) is $$($(PYTHON) --version 2>&1):" \
			"install one and say: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments:" \
			"on Debian and Ubuntu, apt-get install python3-venv" >&2; exit 1; }
	@$(BIN)/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@
