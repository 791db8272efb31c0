# The interface of this repository: `make` lists the usual targets, `make help-all` all of them.
# Variables on the command line, as in `make run PORT=3001`, reach every command; ARGS=--help describes those of a
# command of this project.

PYTHON ?= python3

VENV := .venv/.installed
EMULATOR := .venv-emulator/.installed
DOCS := .venv-docs/.installed
OPENAPI := .venv-openapi/.installed
SCAN := .venv-scan/.installed
PLOTTER := .venv-bench/.installed
CRT := .venv-crt/.installed
LOCALSTACK := .venv-localstack/.installed
HLS := dev/local/page/node_modules/.installed
NODE_MODULES := $(HLS) $(addsuffix /node_modules/.installed, clients/js tests/edge \
	tests/clients/projects/vite tests/clients/projects/webpack4)
PLAYERS := tests/players/node_modules/.installed
PY := .venv/bin/python
export PYTHONPATH := src:.

.DEFAULT_GOAL := help
# The output is the same when a test runs make.
MAKEFLAGS += --no-print-directory

## -- Everyday

USUAL := run test up down deploy smoke logs rollback streamctl capacity
.PHONY: help
help: ## List the usual targets
	@echo "make TARGET VARIABLE=value …"
	@awk -F ':.*## ' -v usual=' $(USUAL) ' '/^[a-z0-9-]+:.*## / && index(usual, " " $$1 " ") \
		{sub(/ \(/, sprintf("\n%13s(", ""), $$2); printf "  %-11s%s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "make help-all lists all targets."

.PHONY: help-all
help-all: ## List all targets
	@awk -F ':.*## ' '/^## -- /{print substr($$0, 6)} /^[a-z0-9-]+:.*## /{printf "  %-16s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: install
install: $(VENV) $(EMULATOR) ## Create the environments for everyday work

.PHONY: run
run: $(VENV) $(EMULATOR) $(HLS) ## Serve on http://localhost:3000 until Ctrl-C; needs no AWS (PORT=3000, CORS_ORIGINS=any on localhost)
	@exec $(PY) -m dev.local.serve $(ARGS)

# Each process has its own emulators; a file of e2e tests shares one stack, so it runs in one process. These tests
# mostly wait for leases and Terraform: four of them keep two cores busy.
# A file of few tests may take minutes, so files run in the order of their names, not by their number of tests.
IN_PARALLEL := --numprocesses auto --maxprocesses 4 --dist worksteal
IN_FOURS := --numprocesses 4 --dist loadfile --no-loadscope-reorder
# A fifth of the examples of each property; make coverage runs all of them.
FEW_EXAMPLES := --hypothesis-profile short
.PHONY: test
test: $(VENV) $(EMULATOR) $(DOCS) $(NODE_MODULES) ## Run the tests, the fast ones first; CI runs test-long too
	$(PY) -m pytest -m "not e2e and not long" $(FEW_EXAMPLES) $(IN_PARALLEL)
	$(PY) -m pytest -m "e2e and not long" $(FEW_EXAMPLES) $(IN_FOURS)

# LocalStack has a target of its own, which runs each night.
.PHONY: test-long
test-long: $(VENV) $(EMULATOR) $(OPENAPI) $(DOCS) $(PLOTTER) $(CRT) $(NODE_MODULES) $(PLAYERS) ## Run the tests that take minutes: attacks, throttling, failures and rollbacks on deployed stages
	$(PY) -m pytest -m long $(FEW_EXAMPLES) $(IN_FOURS) --ignore tests/e2e/test_localstack.py

.PHONY: coverage
coverage: $(VENV) $(EMULATOR) $(NODE_MODULES) ## Show the branches of src that the tests miss; fail below 98 % of the domain's or the adapters'
	$(PY) -m pytest -m "not e2e" --cov --cov-report=term --cov-report=json:build/coverage.json $(IN_PARALLEL)
	@$(PY) -m dev.scan.branches build/coverage.json

.PHONY: test-fast
test-fast: $(VENV) $(EMULATOR) tests/edge/node_modules/.installed ## Run the tests of the rules, the adapters, the routes and the edge, in half a minute (ARGS="-k start")
	$(PY) -m pytest -m "not e2e and not long" $(FEW_EXAMPLES) $(IN_PARALLEL) tests/unit/domain tests/unit/adapters tests/unit/entrypoints tests/edge $(ARGS)

.PHONY: test-e2e
test-e2e: $(VENV) $(EMULATOR) ## Run the end-to-end tests: the zip, Terraform, make run, stages (ARGS="-k stack")
	$(PY) -m pytest -m e2e $(ARGS)

.PHONY: test-localstack
test-localstack: $(VENV) $(EMULATOR) $(LOCALSTACK) ## Run the contract and integration tests on LocalStack itself; needs Java (ARGS="-k concurrency")
	$(PY) -m dev.emulators.localstack $(PY) -m pytest tests/contract tests/integration tests/e2e/test_localstack.py $(FEW_EXAMPLES) $(IN_PARALLEL) $(ARGS)

.PHONY: prove
prove: $(VENV) $(EMULATOR) ## Run the proofs of the promises, about 20 minutes (SEED=1, MINUTES=, MUTANT=name, ARGS=simulation)
	@exec $(PY) -m proof $(ARGS)

.PHONY: mutation
mutation: $(VENV) ## Change the domain's code in every possible place, one at a time: a test must fail for each
	rm -rf mutants
	.venv/bin/mutmut run
	@left=$$(.venv/bin/mutmut results) && test -z "$$left" \
		|| { echo "No test detects these mutants; .venv/bin/mutmut show NAME shows one:"; echo "$$left"; exit 1; }

.PHONY: lint
lint: $(VENV) ## Check style, formatting, types, layers and English
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports
	$(PY) -m dev.scan.prose

# Not secrets: hashes of pinned files, made-up secrets of tests, Terraform references, places of tokens, times, sentences.
NO_SECRETS := --no-verify --exclude-files '^requirements/.*\.txt$$' --exclude-lines '_SHA256' \
	--exclude-secrets '^(test|secret|token|function|iss|true|first|second|old|new|login|t[0-9]|AA|var\.[a-z_]+)$$|[`; ]' \
	--exclude-secrets '^(header|query|cookie|CAT|cta-common-access-token|20[0-9-]+T[0-9:]+Z|a1b2c3d4e5|eyJhbGciOiJub25lIn0.*|2D3RhEOh…)$$'
.PHONY: scan
scan: $(VENV) $(SCAN) ## Scan for security problems: code, Terraform, policies, workflows, secrets, dependencies; needs no network
	.venv/bin/ruff check --select S
	.venv-scan/bin/checkov --directory terraform --framework terraform --compact --quiet --skip-download
	.venv-scan/bin/python -m dev.scan.iam_policies
	.venv-scan/bin/zizmor --offline --quiet .github
	git ls-files -z --cached --others --exclude-standard | xargs -0 .venv-scan/bin/detect-secrets-hook $(NO_SECRETS)
	.venv-scan/bin/python -m dev.scan.vulnerabilities

.PHONY: format
format: $(VENV) ## Format the sources, and fix what can be fixed safely
	.venv/bin/ruff check --fix-only
	.venv/bin/ruff format

## -- The whole service on the AWS emulator

.PHONY: up
up: package-local $(EMULATOR) ## Deploy to the emulator on this machine; prints the API's URL last (EMULATOR_PORT=4566, AUTH=none, jwt or iam, USER_CLAIM=sub)
	@$(PY) -m dev.local.stack up $(ARGS)

.PHONY: token
token: $(VENV) ## Print a token for a user of make up AUTH=jwt (ARGS="viewer-1", with a limit "viewer-1 5", with a claim "viewer-1 custom:household=smith")
	@$(PY) -m dev.local.tokens $(ARGS)

.PHONY: down
down: $(VENV) ## Remove everything that make up has deployed
	@$(PY) -m dev.local.stack down $(ARGS)

## -- On AWS, with your own credentials

.PHONY: deploy
deploy: package ## Deploy to AWS with Terraform, which shows the plan and asks first (STAGE=dev, AUTO_APPROVE=1, KEEP_VERSIONS=3, BACKEND_CONFIG=file)
	@exec $(PY) -m dev.operate.deploy deploy $(ARGS)

.PHONY: undeploy
undeploy: $(VENV) ## Destroy everything that deploy created, including the table and its data (STAGE=dev)
	@exec $(PY) -m dev.operate.deploy undeploy $(ARGS)

.PHONY: remote-state
remote-state: $(VENV) ## Keep a stage's Terraform state in S3, in a bucket that is created if necessary (STAGE=dev, BUCKET=…)
	@exec $(PY) -m dev.operate.remote_state $(ARGS)

## -- On the emulator or AWS

.PHONY: logs
logs: $(VENV) ## Follow the functions' logs: colours on a terminal, JSON in a pipe (STAGE=dev, FN=start: one of them, FOLLOW=0, ALL=1: Lambda's lines)
	@exec $(PY) -m dev.operate.logs $(FN) $(ARGS)

# Their names before FN existed, which people still use.
LOGS := logs-start logs-end logs-heartbeat logs-list
.PHONY: $(LOGS)
$(LOGS): logs-%: $(VENV)
	@exec $(PY) -m dev.operate.logs $* $(ARGS)

.PHONY: rollback
rollback: $(VENV) ## Return the API to the previous release immediately (STAGE=dev)
	@exec $(PY) -m dev.operate.rollback $(ARGS)

.PHONY: smoke
smoke: $(VENV) ## Check a deployed service with one stream, which is ended again (URL=…; TOKEN=… or AUTH=iam if it requires one)
	@exec $(PY) -m dev.operate.smoke $(ARGS)

.PHONY: streamctl
streamctl: $(VENV) ## Show, end and repair one user's streams, or audit a whole table (ARGS="show 1", ARGS=--help; STAGE=dev or TABLE_NAME=…)
	@exec $(PY) -m dev.operate.streamctl $(ARGS)

.PHONY: restore
restore: $(VENV) ## Restore a table's items to an earlier moment (TABLE_NAME=…, AT=2026-01-31T18:00:00Z)
	@exec $(PY) -m dev.operate.restore $(ARGS)

# With the library that signs for CloudFront's KeyValueStore.
.PHONY: playback-key
playback-key: $(VENV) $(CRT) ## Show a stage's playback keys, rotate or revoke them, or set the edge's mode or paths (STAGE=dev, KVS_ARN=… or none, ARGS=rotate, revoke, paths, off, log or enforce)
	@PYTHONPATH="$(PYTHONPATH):$$(echo .venv-crt/lib/python3*/site-packages)" exec $(PY) -m dev.operate.playback_key $(ARGS)

## -- Building

# When another target needs the zip, ARGS are that target's.
OWN_ARGS = $(if $(filter $@,$(MAKECMDGOALS)),$(ARGS))
.PHONY: package
package: $(VENV) ## Build the zip for Lambda and the list of its contents (PYTHON_VERSION=3.13, ARCHITECTURE=arm64 or x86_64)
	@$(PY) -m dev.packaging.package $(OWN_ARGS)

.PHONY: package-local
package-local: $(VENV) ## Build the zip for this machine's Python
	@$(PY) -m dev.packaging.package --target local $(OWN_ARGS)

# Dependencies are resolved once, here, for every platform; --no-emit-index-url keeps the index out of the locks.
# --no-strip-extras: without coverage[toml] in the lock, pip would use its newest release, which has no hash there.
# Like Dependabot, an upgrade ignores releases younger than a week. As an option, the limit would appear in each lock.
COOLDOWN := $(if $(filter --upgrade -U,$(ARGS)),UV_EXCLUDE_NEWER="7 days")
LOCK := $(COOLDOWN) .venv/bin/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url \
	--no-strip-extras --python-version 3.11 $(ARGS)
# LocalStack 4.9.2 does not bound its dependencies: cbor2 6 and pyOpenSSL from after this day break it.
LOCALSTACK_DAY := 2025-10-25
.PHONY: lock
lock: $(VENV) ## Lock the dependencies of pyproject.toml in requirements/ (ARGS=--upgrade)
	$(LOCK) pyproject.toml -o requirements/runtime.txt
	$(LOCK) pyproject.toml --group dev -c requirements/runtime.txt -o requirements/dev.txt
	$(LOCK) --group emulator -o requirements/emulator.txt
	$(LOCK) --group docs -o requirements/docs.txt
	$(LOCK) --group openapi -o requirements/openapi.txt
	$(LOCK) --group scan -o requirements/scan.txt
	$(LOCK) --group bench -c requirements/runtime.txt -o requirements/bench.txt
	$(LOCK) --group crt -c requirements/runtime.txt -o requirements/crt.txt
	$(LOCK) --exclude-newer $(LOCALSTACK_DAY) --group localstack -o requirements/localstack.txt

.PHONY: openapi
openapi: $(VENV) ## Generate docs/openapi.yaml from the routes and the models
	@$(PY) -m dev.generate.openapi $(ARGS)

.PHONY: picture
picture: $(VENV) $(EMULATOR) $(HLS) ## Draw docs/page.png, the README's picture; needs Chromium
	@$(PY) -m dev.generate.picture $(ARGS)

.PHONY: docs
docs: $(VENV) $(DOCS) ## Build the documentation site in build/site, and check its links
	@$(PY) -m dev.generate.docs $(ARGS)

.PHONY: terraform-docs
terraform-docs: $(VENV) ## Generate the tables of docs/terraform.md from the variables and outputs
	@$(PY) -m dev.generate.terraform_docs $(ARGS)

## -- Measuring

.PHONY: bench
bench: package-local $(PLOTTER) ## Measure against the bare SDK: build/bench.json, docs/performance.md and its plots (SHORT=1: a quick look, docs/ unchanged)
	@$(PY) -m bench $(if $(SHORT),--short) $(ARGS)
	@$(if $(SHORT)$(ARGS),:,.venv-bench/bin/python -m bench.plots)

.PHONY: plots
plots: $(PLOTTER) ## Draw the plots of capacity and price, which need no measurement
	@.venv-bench/bin/python -m bench.plots modelled $(ARGS)

.PHONY: capacity
capacity: $(VENV) ## Show the capacity and cost for a number of viewers (VIEWERS=1000000, HEARTBEAT=60, PLAY_MINUTES=60, …)
	@$(PY) -m bench.capacity $(ARGS)
	@$(if $(ARGS),,$(PY) -m bench.price)

.PHONY: clean
clean: ## Remove builds and caches; environments and the state of stages stay
	rm -rf build mutants clients/js/dist .cache .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage
	find src dev bench proof testing tests clients -name __pycache__ -prune -exec rm -rf {} +

# An environment older than its lock file is created again.
.venv/.installed: requirements/dev.txt
.venv-emulator/.installed: requirements/emulator.txt
.venv-docs/.installed: requirements/docs.txt
.venv-openapi/.installed: requirements/openapi.txt
.venv-scan/.installed: requirements/scan.txt
.venv-bench/.installed: requirements/bench.txt
.venv-crt/.installed: requirements/crt.txt
.venv-localstack/.installed: requirements/localstack.txt
# LocalStack 4.9.2 was only run on Python 3.11: use that version if it is installed, whatever runs the rest.
.venv-localstack/.installed: override PYTHON := $(or $(shell command -v python3.11),$(PYTHON))
$(VENV) $(EMULATOR) $(DOCS) $(OPENAPI) $(PLOTTER) $(SCAN) $(LOCALSTACK) $(CRT):
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not installed: install Python 3.11 or newer, or name it with make PYTHON=…" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed, and $(PYTHON) is %d.%d: name another with make PYTHON=…" % sys.version_info[:2])'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) has no venv module: install it (Debian: apt-get install python3-venv), or name another Python with make PYTHON=…" >&2; exit 1; }
	@$(PYTHON) -m dev.tools.environment $(@D) $<
	@touch $@

# One quick retry: offline, make run must not wait a minute for npm.
NPM_CI := npm ci --silent --no-audit --no-fund --fetch-retries 1 --fetch-retry-mintimeout 1000
# Tools for the JavaScript client, bundlers that projects use, players that it is attached to, a parser and another
# verifier for the edge, hls.js for the page of make run. Without npm, the tests that need them are skipped and the
# page has no video.
%/node_modules/.installed: %/package-lock.json
	@! command -v npm >/dev/null || (echo "$*/node_modules: fetching the packages of package-lock.json …" && cd $* && $(NPM_CI) && touch node_modules/.installed) \
		|| echo "npm cannot fetch the packages of $*/package-lock.json: continuing without them."
