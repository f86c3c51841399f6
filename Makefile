# make demo | test | serve | lab | bench — each makes .venv and installs what it needs first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# What PyTorch is installed is decided in constraints.txt; a GPU user sets CONSTRAINTS= (see README).
CONSTRAINTS ?= -c constraints.txt
PIP := $(BIN)/python -m pip install --disable-pip-version-check $(CONSTRAINTS)

.PHONY: demo test serve lab bench clean

demo: $(VENV)/.core
	$(BIN)/workbench demo

test: $(VENV)/.all
	$(BIN)/python -m pytest -n 2 --dist loadfile

serve: $(VENV)/.app
	$(BIN)/workbench serve --show

lab: $(VENV)/.notebooks
	$(BIN)/jupyter lab notebooks --LabApp.news_url=None --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate

bench: $(VENV)/.core
	$(BIN)/workbench bench

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# A stamp for each set of packages: installed again when pyproject.toml or the constraints change.
$(VENV)/.core: $(BIN)/python pyproject.toml constraints.txt
	@echo "Installing (about 1 GB with PyTorch; a few minutes the first time) …"
	$(PIP) -e .
	@touch $@

$(VENV)/.app: $(BIN)/python pyproject.toml constraints.txt
	@echo "Installing with the app …"
	$(PIP) -e '.[app]'
	@touch $@ $(VENV)/.core

$(VENV)/.notebooks: $(BIN)/python pyproject.toml constraints.txt
	@echo "Installing with JupyterLab …"
	$(PIP) -e '.[notebooks]'
	@touch $@ $(VENV)/.core

$(VENV)/.all: $(BIN)/python pyproject.toml constraints.txt
	@echo "Installing everything …"
	$(PIP) -e '.[app,notebooks,test]'
	@touch $@ $(VENV)/.core $(VENV)/.app $(VENV)/.notebooks

clean:
	rm -rf $(VENV) demo
