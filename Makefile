# `make help` lists what there is. Servers and settings: .env.example.
PYTHON ?= python3
DUMP ?=
SCALE ?= 1
SEED ?= 1
DAYS ?= 1
BASE ?= main
CUSTOMER ?=
ROLE ?=
TARGET ?=
WORKERS ?= $(if $(TEST_MYSQL_HOST),0,2)
BIN := .venv/bin
SANDBOX := $(BIN)/python -m sandbox
WITH_SERVERS := $(SANDBOX) exec --
PYTEST := $(BIN)/pytest --numprocesses $(WORKERS)
export DBT_PROFILES_DIR := profiles
ifneq ($(TARGET),)
export DBT_TARGET := $(TARGET)
endif
.DEFAULT_GOAL := help

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 24

setup: .venv/installed ## the virtual environment, with hash-pinned packages
.venv/installed: requirements.txt requirements-uv.txt
	@$(PYTHON) -m sandbox.prerequisites
	@$(PYTHON) -m venv .venv || { echo "error: no virtual environment could be made in $(CURDIR): may you write there, and has this Python the venv module (on Debian: apt-get install python3-venv)?" >&2; exit 1; }
	@echo "Installing the Python packages ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.txt
	@$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements-uv.txt requirements.txt \
		|| $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@echo ../../../.. > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/project.pth" # dbt_discretion.py
	@touch $@

demo: setup ## everything, from servers to docs; DUMP=file.sql loads a dump, SCALE=100 generates more
	@$(SANDBOX) demo $(if $(DUMP),--dump "$(DUMP)") --scale $(SCALE) --seed $(SEED)

up: setup ## start the sandbox's servers (those the environment does not name)
	@$(SANDBOX) up
down: setup ## stop them
	@$(SANDBOX) down
trade: setup ## play days of trade on the sandbox's source; DAYS=3 SEED=7
	@$(SANDBOX) trade --days $(DAYS) --seed $(SEED)
psql: setup ## a shell on the warehouse; ROLE=analyst sees what that role sees
	@ROLE=$(ROLE) $(WITH_SERVERS) $(BIN)/python -m sandbox.psql
roles: setup ## make the warehouse's roles: who may land, build, read what
	@$(SANDBOX) roles
run: setup ## land, then dbt build: what a scheduler calls; TARGET=redshift
	@$(WITH_SERVERS) $(BIN)/python -m ingestion
	@$(WITH_SERVERS) $(BIN)/dbt build --exclude-resource-type unit_test
freshness: setup ## fails when the last landing is older than the sources' contracts allow: for a scheduler
	@$(WITH_SERVERS) $(BIN)/dbt source freshness
erase: setup ## erase one person's personal data: CUSTOMER=124; ARGS=--dry-run to see what would go
	@$(WITH_SERVERS) $(BIN)/python -m erasure customer $(CUSTOMER) $(ARGS)
docs: setup ## the docs: a folder of pages that opens from disk
	@$(SANDBOX) docs
dashboards: setup ## the dashboards, beside the docs, as an analyst sees the data; ROLE=pii_reader shows names
	@ROLE=$(ROLE) $(WITH_SERVERS) $(BIN)/python -m serving.dashboards $(ARGS)
.venv-notebook/installed: requirements-notebook.txt .venv/installed
	@$(PYTHON) -m venv .venv-notebook
	@$(BIN)/uv pip sync --quiet --python .venv-notebook/bin/python --require-hashes requirements-notebook.txt \
		|| .venv-notebook/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-notebook.txt
	@touch $@
notebook: setup .venv-notebook/installed ## JupyterLab, logged in as analyst, on the first questions
	@ROLE=$(ROLE) $(WITH_SERVERS) $(BIN)/python -m serving.notebook
.venv-embedded/installed: requirements-embedded.txt .venv/installed
	@$(PYTHON) -m venv .venv-embedded
	@$(BIN)/uv pip sync --quiet --python .venv-embedded/bin/python --require-hashes requirements-embedded.txt \
		|| .venv-embedded/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-embedded.txt
	@touch $@
embedded: setup .venv-embedded/installed ## serve customers' own pages on 127.0.0.1; CUSTOMER=103 prints a link to that one's
	@$(WITH_SERVERS) .venv-embedded/bin/python -m serving.embedded $(CUSTOMER) $(ARGS)

lint: setup lint-infra ## SQL in both dialects and what Redshift would refuse, Python style and types, no secrets
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@git ls-files -z | xargs -0 $(BIN)/detect-secrets-hook --no-verify --baseline .secrets.baseline
	@$(BIN)/mypy
	@$(BIN)/sqlfluff lint --dialect postgres --processes 2 models tests/singular $(wildcard serving)
	@$(BIN)/sqlfluff lint --dialect redshift --processes 2 --rules capitalisation.keywords models tests/singular $(wildcard serving)
	@$(BIN)/python -m portability
	@$(BIN)/dbt --quiet parse --no-partial-parse --warn-error --target redshift --target-path target/parse
.venv-infra/installed: requirements-infra.txt .venv/installed
	@$(PYTHON) -m venv .venv-infra
	@$(BIN)/uv pip sync --quiet --python .venv-infra/bin/python --require-hashes requirements-infra.txt \
		|| .venv-infra/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-infra.txt
	@touch $@
lint-infra: setup .venv-infra/installed ## the CloudFormation template: cfn-lint, and what it cannot know
	@.venv-infra/bin/cfn-lint infra/template.yml
	@$(BIN)/python -m infra.check
capacity: setup ## time, storage and cost on Redshift by order lines; ARGS="--compression 3 ..."
	@$(BIN)/python -m infra.capacity $(ARGS)
lint-changed: setup ## the same, without dbt, for what differs from BASE=main
	@$(BIN)/python -m review.lint --base $(BASE)
review: setup ## what the working tree does to the data, compared with BASE=main: reports/review.md, .html
	@$(WITH_SERVERS) $(BIN)/python -m review --base $(BASE)
test: setup ## the tests a person runs; WORKERS=0 runs them one after the other, as do all of these that have workers
	@$(PYTEST)
test-hazards: setup ## a hostile MySQL schema, value by value
	@$(BIN)/pytest tests/hazards
test-faults: setup ## kill -9 at every step, then one plain rerun
	@$(PYTEST) --dist load tests/faults
test-security: setup ## TLS with wrong certificates, erasure, leaks; who may read what is in `make test`
	@$(PYTEST) tests/security --ignore=tests/security/test_access.py --ignore=tests/security/test_roles.py
test-review: setup ## prepared pull requests: does the review say what they do?
	@$(PYTEST) --dist load tests/review
test-sequences: setup ## random trading days: incremental builds equal full refreshes; and what lands behind their back
	@$(PYTEST) tests/sequences
test-mutations: setup ## break the models in small ways: do their tests notice?
	@$(BIN)/pytest tests/mutations
test-redshift: setup .venv-infra/installed ## the project by dbt-redshift, twice, through a stand-in: the marts of Postgres? And the gate, the AWS template, the plan
	@$(BIN)/pytest tests/redshift
bench: setup ## the landing against a raw copy; SCALE=10 for a try, ARGS="--peers --linear" for stock dlt and growth
	@$(BIN)/python -m benchmarks.landing $(if $(filter file,$(origin SCALE)),,--scale $(SCALE)) $(ARGS)
bench-build: setup ## dbt build against the same SQL in psql
	@$(BIN)/python -m benchmarks.build $(if $(filter file,$(origin SCALE)),,--scale $(SCALE)) $(ARGS)

sbom: setup ## the bill of materials: every pinned package, CycloneDX
	@$(BIN)/python -m review.sbom

clean: ## remove everything the project made
	@test ! -d .sandbox || test ! -x $(BIN)/python || $(SANDBOX) clean
	@rm -rf .venv .venv-infra .venv-notebook .venv-embedded .sandbox target logs docs/site reports .pytest_cache .mypy_cache .ruff_cache
	@test ! -d docs || find docs -maxdepth 0 -empty -delete
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*/\1/p' $(MAKEFILE_LIST))
