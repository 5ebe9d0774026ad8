# `make demo` and `make test` set up everything themselves: a virtual environment with the pinned
# versions, then the run. They need Python, a C compiler and a package index.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
# Containers set it; every process of a test would then compile the package anew.
export PYTHONDONTWRITEBYTECODE :=
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo docs test long soak lint types format clean

demo: $(VENV)/demo-installed
	$(BIN)/ser demo

docs: $(VENV)/docs-installed
	$(BIN)/zensical build --strict --clean

test: lint types
	$(BIN)/python -m pytest -n auto --dist worksteal

# Whole commands, clusters and real models that would keep `make test` waiting.
long: $(VENV)/dev-installed
	$(BIN)/python -m pytest -m "long and not soak" -n auto --dist worksteal

# What `make test` does with a tenth of the cases: kills, power cuts, hostile files.
soak: $(VENV)/dev-installed
	$(BIN)/python -m pytest -m soak -n auto --dist worksteal

lint: $(VENV)/dev-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# The checker finds a package by the name of its folder, and this folder may have any name.
types: $(VENV)/dev-installed
	mkdir -p $(VENV)/types && ln -sfn ../.. $(VENV)/types/ser
	cd $(VENV)/types && ../../$(BIN)/mypy -n 2 --config-file ../../pyproject.toml -p ser

format: $(VENV)/dev-installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist *.egg-info demo-out site .cache

$(VENV)/%-installed: setup.cfg constraints.txt pyproject.toml
	@echo "Setting up $(VENV) for '$*': pinned packages (2 GB on the disk), a minute or several ..."
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) -e ".[$*]"
	@touch $@
