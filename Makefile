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
trade: setup ## play days of trade on the sandbox's source; DAYS=3
	@$(SANDBOX) trade --days $(DAYS) --seed $(SEED)
psql: setup ## a shell on the warehouse; ROLE=analyst
	@$(SANDBOX) psql $(if $(ROLE),--role $(ROLE))
roles: setup ## make the warehouse's roles
	@$(SANDBOX) roles
run: setup ## land, then dbt build: what a scheduler calls; TARGET=redshift
	@$(WITH_SERVERS) $(BIN)/python -m ingestion
	@$(WITH_SERVERS) $(BIN)/dbt build --exclude-resource-type unit_test
freshness: setup ## fail if the last landing is older than the contracts allow
	@$(WITH_SERVERS) $(BIN)/dbt source freshness
erase: setup ## erase one person's personal data: CUSTOMER=124 ARGS=--dry-run
	@$(WITH_SERVERS) $(BIN)/python -m privacy erase customer $(CUSTOMER) $(ARGS)
docs: setup ## write the docs site, which opens from disk
	@$(SANDBOX) docs

clean: ## remove everything the project made
	@test ! -d .sandbox || test ! -x $(BIN)/python || $(SANDBOX) clean
	@rm -rf .venv .venv-* .sandbox target logs docs/site reports .pytest_cache .mypy_cache .ruff_cache
	@test ! -d docs || find docs -maxdepth 0 -empty -delete
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

##@ Change
lint: setup lint-infra ## SQL in both dialects, Python style and types, secrets
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@git ls-files -z | xargs -0 $(BIN)/detect-secrets-hook --no-verify --baseline .secrets.baseline
	@$(BIN)/mypy
	@$(BIN)/sqlfluff lint --dialect postgres --processes 2 models tests/singular privacy
	@$(BIN)/sqlfluff lint --dialect redshift --processes 2 --rules capitalisation.keywords models tests/singular privacy
	@$(BIN)/python -m checks portability
	@$(BIN)/dbt --quiet parse --no-partial-parse --warn-error --target redshift --target-path target/parse
.venv-%/installed: requirements-%.txt .venv/installed
	@$(PYTHON) -m venv .venv-$*
	@$(BIN)/uv pip sync --quiet --python .venv-$*/bin/python --require-hashes $< \
		|| .venv-$*/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@
lint-infra: setup .venv-infra/installed ## the AWS template
	@.venv-infra/bin/cfn-lint infra/template.yml
	@$(BIN)/python -m checks template
capacity: setup ## estimate time, storage and cost on Redshift; ARGS=--help
	@$(BIN)/python -m infra.capacity $(ARGS)
lint-changed: setup ## the linters on files that differ from BASE=main
	@$(BIN)/python -m checks changed --base $(BASE)
review: setup ## compare the data of the working tree with BASE=main
	@$(WITH_SERVERS) $(BIN)/python -m review --base $(BASE)
test: setup ## the tests of every day; WORKERS=0 runs them one by one
	@$(PYTEST)

##@ Prove
test-hazards: setup ## a hostile MySQL schema, value by value
	@$(BIN)/pytest tests/hazards
test-mysql: setup ## landing, hazards, faults of the source on MySQL 5.6 from npm
	@$(BIN)/python -m tests.genuine $(BIN)/pytest tests/ingestion/test_any_mysql.py tests/ingestion/test_landing.py tests/ingestion/test_blocks.py \
		tests/ingestion/test_drift.py tests/ingestion/test_odd_sources.py tests/ingestion/test_types.py tests/hazards tests/faults/test_the_source_changes.py
test-faults: setup ## kill -9 at every step, then one plain rerun
	@$(PYTEST) --dist load tests/faults
test-security: setup ## wrong certificates, erasure, leaks
	@$(PYTEST) tests/security --ignore=tests/security/test_access.py --ignore=tests/security/test_roles.py
test-review: setup ## prepared pull requests: does the review say what they do?
	@$(PYTEST) --dist load tests/review
test-sequences: setup ## random trading days: incremental equals full refresh
	@$(PYTEST) tests/sequences
test-mutations: setup ## break the models in small ways: do their tests notice?
	@$(BIN)/pytest tests/mutations
test-redshift: setup .venv-infra/installed ## the project by dbt-redshift, through a stand-in
	@$(BIN)/pytest tests/redshift
bench: setup ## the landing against a raw copy; SCALE=10 ARGS="--peers --linear"
	@$(BIN)/python -m benchmarks.landing $(if $(filter file,$(origin SCALE)),,--scale $(SCALE)) $(ARGS)
bench-build: setup ## dbt build against the same SQL in psql
	@$(BIN)/python -m benchmarks.build $(if $(filter file,$(origin SCALE)),,--scale $(SCALE)) $(ARGS)

sbom: setup .venv-sbom/installed ## write the bills of materials, CycloneDX
	@mkdir -p reports
	@PYTHONWARNINGS=ignore .venv-sbom/bin/cyclonedx-py requirements --no-validate --pyproject pyproject.toml -o reports/sbom.json
	@PYTHONWARNINGS=ignore .venv-sbom/bin/cyclonedx-py environment --no-validate --pyproject pyproject.toml -o reports/sbom-licences.json $(BIN)/python
	@echo "reports/sbom.json, reports/sbom-licences.json"

.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*/\1/p' $(MAKEFILE_LIST))
