# Everything sets itself up from the locks: a fresh Debian 12 with python3-venv and make is enough.
PYTHON ?= python3
# The conformance scripts know their virtual environment as VENV; here that name is ours.
export CONFORMANCE_VENV := $(or $(CONFORMANCE_VENV),$(VENV))
# A server that may not keep what it compiles takes half a second longer to start; the tests start hundreds.
export PYTHONDONTWRITEBYTECODE :=
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: demo test check fmt bench bench-growth interop faults fuzz lock clean

demo: $(VENV)/runtime
	@$(BIN)/mailstead demo

test: $(VENV)/dev
	$(BIN)/pytest -n 2 --dist worksteal tests

check: $(VENV)/dev
	$(BIN)/ruff format --check src tests bench tools
	$(BIN)/ruff check src tests bench tools
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/basedpyright
	$(MAKE) --no-print-directory test

fmt: $(VENV)/dev
	$(BIN)/ruff format src tests bench tools
	$(BIN)/ruff check --fix src tests bench tools

# The long form of every fault test: 100 kills, 20 power cuts, 5,000 crash states (docs/faults.md).
faults: $(VENV)/dev
	MAILSTEAD_FAULTS=full $(BIN)/pytest -m faults tests

# Side by side with a peer (docs/performance.md).
bench: $(VENV)/dev
	$(BIN)/python -m bench.run

# How the work of a session grows with its mailbox (docs/performance.md).
bench-growth: $(VENV)/dev
	$(BIN)/python -m bench.growth --plot docs/growth.svg

# Real mail programs against a server of its own (docs/interop.md).
interop: $(VENV)/dev
	$(BIN)/python -m tools.interop

# Every parser under atheris, from its stored corpus: SECONDS per target.
SECONDS ?= 60
fuzz: $(VENV)/dev
	$(BIN)/python -m tests.fuzz.run --seconds $(SECONDS)

$(VENV)/runtime: requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes --only-binary :all: -r requirements.lock
	@$(PYTHON) tools/install.py $(VENV)
	@touch $@

$(VENV)/dev: requirements-dev.lock $(VENV)/runtime
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes --only-binary :all: -r requirements-dev.lock
	@touch $@

# Rewrites both locks; needs uv.
lock:
	uv pip compile -q --generate-hashes --python-version 3.11 -o requirements.lock pyproject.toml
	uv pip compile -q --generate-hashes --python-version 3.11 --group dev -c requirements.lock -o requirements-dev.lock pyproject.toml

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
