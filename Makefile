# Everything runs from here. `make help` lists what there is.

SHELL := /bin/sh
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
# With it, each of the many processes would compile all that it imports, each time: three quarters of a start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup run dev shell seed fmt check test test-long test-agents test-windows lint docs agents windows-agents bench lock notice sbom changes changelog release

help: ## List what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what working on Strongroom needs, into .venv
	@deploy/install dev "$(PYTHON)"
	@$(BIN)/python -m deploy.engine

run: ## Start the portal with all its parts; Ctrl-C stops it. PORT, EDGE_PORT, STRONGROOM_DATA move it
	@deploy/install run "$(PYTHON)"
	@$(BIN)/python -m deploy.engine || true # the portal needs none; whoever sets up a machine here is told
	@exec $(BIN)/python -m deploy.runner

dev: setup ## The same, restarting parts whose code, templates or static files change
	@exec $(BIN)/python -m deploy.dev

shell: ## Django's shell on the data folder of `make run`
	@deploy/install dev "$(PYTHON)"
	@exec $(BIN)/python manage.py shell

seed: ## Fill the data folder of `make run` with a demo estate: months of machines, runs, requests and audit entries
	@deploy/install dev "$(PYTHON)"
	@exec $(BIN)/python -m bench.seed demo

fmt: ## Put imports, style and layout right
	@deploy/install dev "$(PYTHON)"
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format --quiet .

check: ## Style, types and unit tests of one place in seconds: make check T=vaults/requests
	@deploy/install dev "$(PYTHON)"
	@exec $(BIN)/python -m tests.check $(T)

test: ## Everything that CI runs: lint, both databases, real parts, a real browser
	@deploy/install dev "$(PYTHON)"
	@exec $(BIN)/python -m tests.suite

test-long: ## The same with the full counts of the long suites
	@deploy/install dev "$(PYTHON)"
	@STRONGROOM_LONG=1 exec $(BIN)/python -m tests.suite

test-agents: ## Install, set up, upgrade and remove the packages of `make agents` in bare Debians; as root
	@deploy/install dev "$(PYTHON)"
	@exec $(BIN)/python -m pytest -q tests/packages/in_bare_systems.py

agents: ## Build the agent's packages for Linux that need no Python, and publish them in the data folder; as root
	@deploy/install dev "$(PYTHON)"
	@$(BIN)/python -m deploy.agents
	@$(BIN)/python manage.py migrate --verbosity 0
	@$(BIN)/python manage.py prepare_pki --verbosity 0
	@exec $(BIN)/python manage.py publish_agent --built build/agents/packages

windows-agents: ## Build the agent's installers for Windows, and publish them; WITH='--interpreter …' (see --help)
	@deploy/install dev "$(PYTHON)"
	@$(BIN)/python -m deploy.agents.windows $(WITH)
	@$(BIN)/python manage.py migrate --verbosity 0
	@$(BIN)/python manage.py prepare_pki --verbosity 0
	@exec $(BIN)/python manage.py publish_agent --built build/agents/windows/packages

test-windows: ## Try the installers for Windows under wine; as root. It does not go through yet (docs/installing.md)
	@deploy/install dev "$(PYTHON)"
	@exec $(BIN)/python -m tests.windows

lint: ## Style, types, import order, missing migrations
	@deploy/install dev "$(PYTHON)"
	@exec $(BIN)/python -m tests.suite lint

docs: ## Make the pages of codes and commands anew, and build the documentation's site; a dead link fails
	@deploy/install dev "$(PYTHON)"
	@$(BIN)/python -m docs.reference
	@exec $(BIN)/python -m tests.suite docs

bench: ## Measure against yardsticks taken in the same run; QUICK=1 for the short one
	@deploy/install dev "$(PYTHON)"
	@$(BIN)/python -m deploy.engine
	@exec $(BIN)/python -m bench

lock: ## Lock the newest versions that deploy/*.in allow, with hashes
	@deploy/install dev "$(PYTHON)"
	@deploy/lock

notice: ## List the licences of what is shipped, in NOTICE; after lock
	@deploy/install dev "$(PYTHON)"
	@exec $(BIN)/python -m deploy.notice

sbom: ## Write the bills of materials of portal and agent (CycloneDX) into dist/
	@deploy/install dev "$(PYTHON)"
	@exec $(BIN)/python -m deploy.sbom

changes: ## Say whether this branch tells in changes/ what a user would notice: make changes BASE=origin/main
	@deploy/install dev "$(PYTHON)"
	@git merge-base "$(or $(BASE),origin/main)" HEAD > /dev/null 2>&1 || { \
		echo "There is no $(or $(BASE),origin/main) that this branch begins at. Fetch it, or give another: make changes BASE=…" >&2; \
		exit 2; }
	@exec $(BIN)/towncrier check --compare-with "$(or $(BASE),origin/main)"

changelog: ## Move changes/ into CHANGELOG.md, under the version that is set
	@deploy/install dev "$(PYTHON)"
	@exec $(BIN)/towncrier build --yes

release: ## Make the files of a release in dist/, from the commit that is checked out
	@deploy/install dev "$(PYTHON)"
	@exec $(BIN)/python -m deploy.release
