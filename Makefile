# Everything from nothing but Python >= 3.11, make and a package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
OUT ?= demo-out
export TOKENIZERS_PARALLELISM = false
# Compiled files are kept, whatever the shell says: many tests start a Python of their own.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test check bench setup format clean

setup: $(STAMP)

$(STAMP): pyproject.toml requirements/constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "plaudit needs Python 3.11 or newer; say make PYTHON=python3.12")'
	@echo "setting up $(VENV), once: torch first, then the rest; a few minutes, most of it download"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -c requirements/constraints.txt torch==2.13.0
	$(BIN)/python -m pip install -q --disable-pip-version-check -c requirements/constraints.txt -e '.[dev]'
	touch $@

# Nothing is overwritten: a second demo needs another folder, as in make demo OUT=demo-out-2.
demo: setup
	$(BIN)/plaudit demo --output-dir $(OUT)

# One thread a worker: two processes of two threads each run at a fifth of the speed.
test: setup
	OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -n 2 --dist worksteal -rs tests

check: setup
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/mypy
	OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -n 2 --dist worksteal -m 'not slow' tests

format: setup
	$(BIN)/ruff check --fix-only -q src tests benchmarks
	$(BIN)/ruff format -q src tests benchmarks

# Regenerates docs/results.md from the committed measurements; the measurements themselves are scripts in benchmarks/.
bench: setup
	$(BIN)/python benchmarks/results.py

clean:
	rm -rf $(VENV) demo-out
