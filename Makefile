# `make help` lists what there is. Servers and settings: .env.example.
PYTHON ?= python3
DUMP ?=
SCALE ?= 1
SEED ?= 1
DAYS ?= 1
BASE ?= main
CUSTOMER ?=
ROLE ?=
TABLE ?=
TARGET ?=
WORKERS ?= $(if $(TEST_MYSQL_HOST),0,2)
# Walks and mutants are drawn anew every day; NIGHTLY=1 takes all mutants and walks that are seven times as long.
NIGHTLY ?=
ifneq ($(NIGHTLY),)
export NIGHTLY
export TEST_MUTANTS ?= 100000
export TEST_SEQUENCES ?= 20
endif
BIN := .venv/bin
SANDBOX := $(BIN)/python -m sandbox
WITH_SERVERS := $(SANDBOX) exec --
PYTEST := $(BIN)/pytest --numprocesses $(WORKERS)
SECURITY := tests/security --ignore=tests/security/test_access.py --ignore=tests/security/test_roles.py
SERVING := $(if $(wildcard serving),.venv-notebook/installed .venv-embedded/installed)
export DBT_PROFILES_DIR := profiles
ifneq ($(TARGET),)
export DBT_TARGET := $(TARGET)
endif
.DEFAULT_GOAL := help

help:
	@awk -F ':.*## ' '/^##@ / { print "\n" substr($$0, 5) } /^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##@ Use
setup: .venv/installed ## make the virtual environment
.venv/installed: requirements.txt requirements-uv.txt
	@$(PYTHON) -m sandbox.prerequisites
	@$(PYTHON) -m venv .venv || { echo "error: no virtual environment could be made in $(CURDIR): may you write there, and has this Python the venv module (on Debian: apt-get install python3-venv)?" >&2; exit 1; }
	@echo "Installing the Python packages ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.txt
	@$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements-uv.txt requirements.txt \
		|| $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@echo ../../../.. > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/project.pth" # dbt_discretion.py
	@touch $@

demo: setup ## servers, data, landing, dbt build, docs; DUMP=file.sql or SCALE=100
	@$(SANDBOX) demo $(if $(DUMP),--dump "$(DUMP)") --scale $(SCALE) --seed $(SEED)

up: setup ## start the servers that the environment does not name
	@$(SANDBOX) up
down: setup ## stop them
	@$(SANDBOX) down
trade: setup ## play days of trade on the private MySQL; DAYS=3
	@$(SANDBOX) trade --days $(DAYS) --seed $(SEED)
psql: setup ## an SQL shell on the warehouse; ROLE=analyst
	@$(SANDBOX) psql $(if $(ROLE),--role $(ROLE))
mysql: setup ## an SQL shell on the private MySQL, with all rights
	@$(SANDBOX) mysql
roles: setup ## make the warehouse's roles (docs/privacy.md)
	@$(SANDBOX) roles
run: setup ## land, then dbt build in place; TARGET=redshift
	@$(WITH_SERVERS) $(BIN)/python -m ingestion
	@$(WITH_SERVERS) $(BIN)/python -m operations build
follow: setup ## land each change at once, by the binary log, and build after it
	@$(WITH_SERVERS) $(BIN)/python -m operations follow
night: setup ## land, build, test, publish, pages, alerts: for cron and systemd
	@$(WITH_SERVERS) $(BIN)/python -m operations night $(ARGS)
status: setup ## is it fresh, what is broken, the last runs; ARGS="--max-age 26h" alerts
	@$(BIN)/python -m operations status $(ARGS)
freshness: setup ## fail if the last landing is older than the contracts allow
	@$(WITH_SERVERS) $(BIN)/dbt source freshness
migrate: setup ## once after an update: take over snapshots of an earlier version
	@$(WITH_SERVERS) $(BIN)/dbt run-operation migrate_snapshots
accept: setup ## say that a table's unlikely landing is right: TABLE=customers
	@test -n "$(TABLE)" || { echo "error: name the raw table: make accept TABLE=customers" >&2; exit 2; }
	@$(WITH_SERVERS) $(BIN)/dbt run-operation accept_profile --args '{table_name: $(TABLE)}'
erase: setup ## erase one person's personal data: CUSTOMER=124 ARGS=--dry-run
	@$(WITH_SERVERS) $(BIN)/python -m privacy erase customer $(CUSTOMER) $(ARGS)
docs: setup ## write the docs site, which opens from disk
	@$(SANDBOX) docs
dashboards: setup ## write the dashboards, names masked; ROLE=pii_reader shows them
	@ROLE=$(ROLE) $(WITH_SERVERS) $(BIN)/python -m serving.dashboards $(ARGS)
notebook: setup .venv-notebook/installed ## JupyterLab, logged in as analyst, on the first questions
	@ROLE=$(ROLE) $(WITH_SERVERS) $(BIN)/python -m serving.notebook
embedded: setup .venv-embedded/installed ## customers' own pages on 127.0.0.1, a link to one; CUSTOMER=103
	@$(WITH_SERVERS) .venv-embedded/bin/python -m serving.embedded $(CUSTOMER) $(ARGS)

clean: ## remove everything the project made
	@test ! -d .sandbox || test ! -x $(BIN)/python || $(SANDBOX) clean
	@rm -rf .venv .venv-* .sandbox target logs docs/site reports .pytest_cache .mypy_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

##@ Change
LINTS := lint-sql lint-types lint-infra lint-keywords lint-portability lint-secrets lint-parse
lint: setup ## check SQL in both dialects, Python style and types, secrets
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target --keep-going $(LINTS)
lint-types: setup
	@$(BIN)/mypy
lint-sql: setup
	@$(BIN)/sqlfluff lint --processes 1 --dialect postgres models tests/singular privacy $(wildcard serving)
lint-keywords: setup # those of Redshift
	@$(BIN)/sqlfluff lint --processes 1 --dialect redshift --rules capitalisation.keywords models tests/singular privacy $(wildcard serving)
lint-secrets: setup
	@git ls-files -z | xargs -0 $(BIN)/detect-secrets-hook --no-verify --baseline .secrets.baseline
lint-portability: setup
	@$(BIN)/python -m checks portability
lint-parse: setup
	@$(BIN)/dbt --quiet parse --no-partial-parse --warn-error --target redshift --target-path target/parse
.venv-%/installed: requirements-%.txt .venv/installed
	@$(PYTHON) -m venv .venv-$*
	@$(BIN)/uv pip sync --quiet --python .venv-$*/bin/python --require-hashes $< \
		|| .venv-$*/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@
lint-infra: setup .venv-infra/installed ## check the AWS template
	@.venv-infra/bin/cfn-lint infra/template.yml
	@$(BIN)/python -m checks template
capacity: setup ## estimate time, storage and cost on Redshift; ARGS=--help
	@$(BIN)/python -m infra.capacity $(ARGS)
lint-changed: setup ## the linters on files that differ from BASE=main
	@$(BIN)/python -m checks changed --base $(BASE)
review: setup ## compare the data of the working tree with BASE=main; WAREHOUSE=address
	@$(WITH_SERVERS) $(BIN)/python -m review --base $(BASE)
test: setup ## the tests of every day; WORKERS=0 runs them one by one
	@$(PYTEST)

##@ Prove
test-deep: setup .venv-infra/installed $(SERVING) ## hazards, faults, security, serving, review, redshift, nights side by side
	@$(PYTEST) tests/hazards tests/faults $(SECURITY) tests/review tests/redshift tests/operations $(wildcard tests/serving)
test-hazards: setup ## a hostile MySQL schema, value by value
	@$(BIN)/pytest tests/hazards
GENUINE := tests/ingestion/test_any_mysql.py tests/ingestion/test_landing.py tests/hazards tests/faults/test_the_source_changes.py
GENUINE_REST := tests/ingestion/test_blocks.py tests/ingestion/test_drift.py tests/ingestion/test_odd_sources.py \
	tests/ingestion/test_types.py tests/ingestion/test_messages.py tests/ingestion/test_binlog.py tests/genuine
test-mysql: setup ## landing, hazards and marts on MySQL 5.6; needs npm, which fetches it
	@$(BIN)/python -m tests.genuine $(BIN)/pytest $(GENUINE) $(GENUINE_REST)
test-mysql-short: setup # as CI runs it
	@$(BIN)/python -m tests.genuine $(BIN)/pytest $(GENUINE)
test-faults: setup ## kill -9 at every step, then one plain rerun
	@$(PYTEST) tests/faults
test-security: setup ## wrong certificates, erasure, leaks
	@$(PYTEST) $(SECURITY)
test-serving: setup $(SERVING) ## figures, size and masks of the dashboards, in a browser
	@$(PYTEST) tests/serving
test-review: setup ## prepared pull requests: does the review say what they do?
	@$(PYTEST) tests/review
test-sequences: setup ## random trading days: incremental equals full refresh
	@$(PYTEST) tests/sequences
test-mutations: setup ## break the models in small ways: do their tests notice?
	@$(BIN)/pytest tests/mutations
test-redshift: setup .venv-infra/installed ## the project by dbt-redshift, through a stand-in
	@$(PYTEST) tests/redshift
bench: setup ## the landing against a raw copy; SCALE=10 ARGS="--peers --linear"
	@$(BIN)/python -m benchmarks.landing $(if $(filter file,$(origin SCALE)),,--scale $(SCALE)) $(ARGS)
bench-night: setup ## a night against landing and building in place
	@$(BIN)/python -m benchmarks.night $(if $(filter file,$(origin SCALE)),,--scale $(SCALE)) $(ARGS)
bench-follow: setup ## how far raw tables and marts are behind a source that trades
	@$(BIN)/python -m benchmarks.follow $(if $(filter file,$(origin SCALE)),,--scale $(SCALE)) $(ARGS)
bench-build: setup ## dbt build against the same SQL in psql
	@$(BIN)/python -m benchmarks.build $(if $(filter file,$(origin SCALE)),,--scale $(SCALE)) $(ARGS)

sbom: setup .venv-sbom/installed ## write the bills of materials, CycloneDX
	@mkdir -p reports
	@PYTHONWARNINGS=ignore .venv-sbom/bin/cyclonedx-py requirements --no-validate --pyproject pyproject.toml -o reports/sbom.json
	@PYTHONWARNINGS=ignore .venv-sbom/bin/cyclonedx-py environment --no-validate --pyproject pyproject.toml -o reports/sbom-licences.json $(BIN)/python
	@echo "reports/sbom.json, reports/sbom-licences.json"

.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*/\1/p' $(MAKEFILE_LIST))
