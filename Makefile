.DEFAULT_GOAL := help
.PHONY: help install run test e2e torture bench check static lint format migrate superuser audit lock deploy backup restore upgrade-postgres
HOST ?= 127.0.0.1
PORT ?= 8000
MINUTES ?= 10
# Recipes ignore the caller's virtual environment, and keep bytecode: compiling the tests costs most of a worker's start.
unexport VIRTUAL_ENV PYTHONDONTWRITEBYTECODE
MANAGE := DEBUG=True .venv/bin/python manage.py
POETRY := POETRY_VIRTUALENVS_CREATE=false .poetry/bin/poetry
EXPORT = $(POETRY) export

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: .venv/run ## Create .venv with the service's dependencies

run: .venv/run ## Serve on SQLite (PostgreSQL where POSTGRES_HOST is set): PORT=8000 HOST=127.0.0.1
	@$(MANAGE) develop $(HOST):$(PORT)

# A worker on each core. Without e2e by its folder: of two options -m, as of ARGS, pytest obeys the last.
PYTEST := .venv/bin/pytest --ignore=tests/e2e -n logical --dist worksteal

# pytest exits with 5 if it finds no test: all that ARGS selects may be for PostgreSQL only.
test: .venv/test ## Run the tests on SQLite, then on a PostgreSQL that they start: ARGS="tests/incidents -m 'not slow'"
	$(PYTEST) --database sqlite $(ARGS) $(if $(ARGS),|| [ $$? = 5 ])
	$(PYTEST) $(ARGS)

# Most of them wait most of their time. Chromium gives up its requests when networks of Docker come and go: it runs apart.
E2E := .venv/bin/pytest -m e2e -n 2 --dist loadfile --no-loadscope-reorder

e2e: .venv/test .venv-e2e/complete .venv-senders/complete ## Run the tests that need other programs: Chromium, Node.js, Docker (.ci/run installs them)
	$(E2E) tests/e2e/browser
	$(E2E) tests/e2e --ignore=tests/e2e/browser

torture: .venv/test ## Kill workers, gunicorn and PostgreSQL under load: MINUTES=10 (HA=1: nodes of a cluster in containers)
	MINUTES=$(MINUTES) .venv/bin/pytest -s tests/e2e/$(if $(HA),test_high_availability.py,test_torture.py)

bench: .venv-bench/complete ## Compare the service with FastAPI and others (wrk): ARGS="--rows 1000,1000000 --nginx --help"
	@.venv-bench/bin/python -m tests.benchmarks $(ARGS)

check: static test ## Run all checks: lint, types, layers, scripts, migrations, settings, lock file, tests

static: lint .poetry/bin/poetry
	DEBUG=True .venv/bin/mypy .
	$(MANAGE) makemigrations --check --dry-run
	SECRET_KEY=$$(head -c 64 /dev/urandom | base64 -w 0) ALLOWED_HOSTS=example.org USE_HTTPS=True DEBUG=False \
		.venv/bin/python manage.py check --deploy --fail-level WARNING
	$(POETRY) check --lock
	$(EXPORT) --only main | diff docker/requirements.txt -
	$(EXPORT) --only main,dev | diff docker/requirements-dev.txt -
	$(EXPORT) --only main,dev,test | diff tests/requirements.txt -

lint: .venv/test ## Check style and formatting of code, templates, styles and scripts, and the layers
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/djangofmt check */templates
	.venv/bin/djangofmt --check */templates
	.venv/bin/oxlint --deny-warnings */static
	.venv/bin/oxfmt --check */static
	.venv/bin/lint-imports --no-logo
	.venv/bin/shellcheck --severity=warning $$(grep -lrE '^#!/.*sh$$' .ci docker nginx)

format: .venv/test ## Format code, templates, styles and scripts, and fix what the linters can fix
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .
	.venv/bin/djangofmt check --fix */templates
	.venv/bin/djangofmt */templates
	.venv/bin/oxlint --fix */static
	.venv/bin/oxfmt */static

migrate: .venv/run ## Apply the migrations
	$(MANAGE) migrate

superuser: .venv/run ## Create a superuser
	$(MANAGE) createsuperuser

audit: .venv/test ## Check the dependencies for known vulnerabilities (SAFETY_API_KEY)
	@set -a; [ ! -f .env ] || . ./.env; docker/audit

lock: .poetry/bin/poetry ## Resolve the dependencies of pyproject.toml and export them for pip
	$(POETRY) lock
	$(EXPORT) --only main --output docker/requirements.txt
	$(EXPORT) --only main,dev --output docker/requirements-dev.txt
	$(EXPORT) --only main,dev,test --output tests/requirements.txt

# pip uses the index that it is configured for; the hashes of the lock file verify the packages.
.venv/run: docker/requirements-dev.txt
	@python=$$(docker/find-python) && $$python -m venv --clear .venv
	@echo "Installing the dependencies into .venv"
	@.venv/bin/pip install -qq --disable-pip-version-check --require-hashes -r $<
	@touch $@

.venv/test: tests/requirements.txt .venv/run
	@echo "Installing the development tools into .venv"
	@.venv/bin/pip install -qq --disable-pip-version-check --require-hashes -r $<
	@touch $@

.venv-bench/complete: tests/benchmarks/requirements.txt .venv/run
	@.venv/bin/python -m venv --clear .venv-bench
	@echo "Installing the benchmark and the compared frameworks into .venv-bench"
	@.venv-bench/bin/pip install -qq --disable-pip-version-check -r $<
	@touch $@

.venv-e2e/complete: tests/e2e/requirements.txt .venv/run
	@.venv/bin/python -m venv --clear .venv-e2e
	@echo "Installing the generator of clients into .venv-e2e"
	@.venv-e2e/bin/pip install -qq --disable-pip-version-check -r $<
	@touch $@

# Without dependencies: the list is complete for what the tests use, and the programs' own lists hold far more.
.venv-senders/complete: tests/e2e/senders/requirements.txt .venv/run
	@.venv/bin/python -m venv --clear .venv-senders
	@echo "Installing the senders from PyPI into .venv-senders"
	@.venv-senders/bin/pip install -qq --disable-pip-version-check --no-deps --no-compile -r $<
	@touch $@

.poetry/bin/poetry:
	@python=$$(docker/find-python) && $$python -m venv .poetry
	@.poetry/bin/pip install -qq --disable-pip-version-check "poetry~=2.5" poetry-plugin-export

# Production in containers
PRODUCTION := docker/compose

deploy: ## Production in containers, with .env.prod: start it (ARGS="--scale web=2"), later replace the replicas one by one
	@docker/deploy $(ARGS)

backup: ## Write a verified dump of the production database, and its attachments, to the volume "backups"
	@$(PRODUCTION) exec -T --user 0:10001 db backup

# AT and VERSION reach the scripts through the environment.
restore: ## Restore a dump and its attachments into an empty production database: FILE=... (FORCE=1 replaces a full one), or a moment: AT='... +03'
ifdef AT
	@docker/restore-at "$$AT"
else
	@$(PRODUCTION) up --detach --wait --no-recreate db
	@$(PRODUCTION) exec -T --user 10001:10001 db restore-attachments "$(FILE)"
	@$(PRODUCTION) exec -T --user root --env FORCE=$(FORCE) db restore "$(FILE)"
	@$(PRODUCTION) run --rm -T --no-deps migrate
endif

upgrade-postgres: ## Move the production database to another major version of PostgreSQL: VERSION=18
	@docker/upgrade-postgres "$$VERSION"
