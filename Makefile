# Every target that needs tools depends on `setup`, which returns at once when nothing changed.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
SEED ?= 1
SECONDS ?= 30

.PHONY: help setup demo test test-bluez check format fuzz soak bench scoreboard lock clean

help:  ## Show the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

setup:  ## Prepare .venv and Mosquitto without running anything
	@scripts/setup.sh

demo: setup  ## The whole way on this machine: stockings, gateway, broker, server, verdict
	@$(BIN)/calza demo

# The machine with BlueZ is built while types and documents are checked; three scenes in it, then all the rest. Scenes
# not chosen here run with `make test-bluez`.
test: setup  ## make check, then every test, and the gateway on real BlueZ
	@scripts/bluez-image.sh >/dev/null & $(MAKE) --no-print-directory check
	$(BIN)/pytest -m bluez -k "scan or by_passkey or fortnight" tests/bluez
	$(BIN)/pytest -n logical --dist loadfile -m "not bluez"

test-bluez: setup  ## The gateway on real BlueZ, in a virtual machine (the first run builds its image)
	$(BIN)/pytest -n 3 --dist loadfile -m "bluez and not slow" tests/bluez

check: setup  ## Format, lint, import contracts, types, documentation tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/pytest -q tests/meta

format: setup  ## Rewrite the sources in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

fuzz: setup  ## Feed mutated octets to every decoder (SECONDS=30 SEED=1)
	$(BIN)/python tests/wire/fuzz_decoders.py --seconds $(SECONDS) --seed $(SEED)

soak: DAYS = 30
soak: setup  ## Thirty simulated days of faults; writes docs/soak.md (DAYS=30 SEED=1)
	$(BIN)/python tests/soak/run.py --days $(DAYS) --seed $(SEED) --write docs/soak.md

bench: setup  ## Measure the figures and write docs/benchmarks.md
	$(BIN)/python tests/bench/run.py --write docs/benchmarks.md

# Held-out seeds begin at 1000: lower ones may have been fitted to.
scoreboard: SEED = 70000
scoreboard: PERSONS = 12
scoreboard: setup  ## Judge the detector against the truth and write docs/accuracy.md (PERSONS=12 SEED=70000)
	$(BIN)/python tests/scoreboard/run.py --persons $(PERSONS) --seed $(SEED) --write docs/accuracy.md

lock: setup  ## Resolve pyproject.toml anew into requirements/ (needs uv)
	uv pip compile pyproject.toml --extra dev --upgrade --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --custom-compile-command "make lock" -o requirements/dev.txt
	uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes -c requirements/dev.txt \
		--no-emit-index-url --custom-compile-command "make lock" -o requirements/runtime.txt
	for part in gateway server sim build; do uv pip compile --group pyproject.toml:$$part --universal --python-version 3.11 \
		--generate-hashes -c requirements/dev.txt --no-emit-index-url --custom-compile-command "make lock" \
		-o requirements/$$part.txt; done

clean:  ## Remove the environment, caches and demo state
	rm -rf $(VENV) .calza .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
