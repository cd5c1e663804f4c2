# `make` lists the targets. Everything runs in .venv, which is made when it is first needed.
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

RATE ?= 1000
SECONDS ?= 30
CLEAN ?=
SEED ?=
SEEDS ?= 1
ROW ?=
EVENTS ?= 3000
LANES ?= 1
ROWS ?=
QUICK ?=
GROWTH ?=
SOAK ?=
PUBLISH ?=
yes = $(filter 1 yes true,$(1))

# Any Python 3, before there is an environment; which one makes it is chosen by speed.
ANY_PYTHON = $(firstword $(shell command -v python3.11 python3 2>/dev/null) $(BOOTSTRAP_PYTHON) python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.requirements-installed
STACK := $(BIN)/python -m gamemetrics.stack

.PHONY: help up down status test faults bench lint demo load

help: ## this list
	@awk -F ':.*## ' '/^[a-z.]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: $(READY) ## start PostgreSQL, Redis, Kafka and the application; ports: WEB_PORT=... make up
	@$(STACK) up

down: ## stop all of it; CLEAN=1 also deletes the data
	@$(firstword $(wildcard $(BIN)/python) $(ANY_PYTHON)) -m gamemetrics.stack.down $(if $(filter 1 yes true,$(CLEAN)),--clean)

status: $(READY) ## what runs, on which ports, and where it logs
	@$(STACK) status

demo: up ## stream the real chess events through and print the leaderboards
	@$(BIN)/python manage.py demo

load: up ## send generated events: RATE=1000 a second for SECONDS=30
	@$(BIN)/python manage.py load --rate $(RATE) --seconds $(SECONDS)

# Two at a time: most of a test is waiting for a process. A file stays together, because its tests
# share a stack; in the order of the files, so that the long ones are not the last.
test: $(READY) ## every test, against real services of its own
	@$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

faults: $(READY) ## break a stack of its own on purpose: ROW=20 SEED=7, or SEEDS=20 EVENTS=20000 LANES=3
	@$(BIN)/python -m tests.faults --rows "$(ROW)" $(if $(SEED),--seed $(SEED)) --seeds $(SEEDS) --events $(EVENTS) --lanes $(LANES)

bench: $(READY) ## measure a stack of its own: QUICK=1, ROWS="drain,rate kafka", GROWTH=1, SOAK=1, PUBLISH=1
	@$(BIN)/python -m tests.bench $(if $(call yes,$(QUICK)),--size quick) $(if $(ROWS),--rows "$(ROWS)") \
	  $(if $(call yes,$(GROWTH)),--growth) $(if $(call yes,$(SOAK)),--soak) $(if $(call yes,$(PUBLISH)),--publish)

lint: $(READY) ## style, types and the direction of imports
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

# The stamp comes last, so that an interrupted install is done again.
$(READY): requirements.txt requirements-dev.txt
	@echo "installing into $(VENV) (once, and when requirements*.txt change)"
	@test -x $(BIN)/python || $(ANY_PYTHON) -m gamemetrics.stack.interpreter $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

.venv: $(READY) ## the virtual environment alone
