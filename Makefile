# Everything a developer does here. `make help` says what there is.

SHELL := /bin/sh
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
EXTRAS := dev,yaml,cache
GROUPS := --group example --group test --group lint
PYTEST_ARGS ?=
TEST_PROCESSES ?= 2

# A shim or an old version may bear the name, so each candidate is run.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	"$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 \
	&& { echo "$$python"; break; }; done)

.DEFAULT_GOAL := help
.PHONY: help env demo test test-server lint format types floors conformance kills soak chaos chaos-ci chaos-night chaos-mutants roles bench-dashboard messages shots pictures clean bench bench-growth chaos-peers

help:  ## Show this list.
	@sed -n 's/^\([a-z-]*\):.*##  *\(.*\)$$/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-22s %s\n", $$1, $$2 }'
	@echo
	@echo "  make demo ONCE=1         runs every kind of job, prints the counts and exits; KILL=1 kills the worker meanwhile."
	@echo "  make test PYTEST_ARGS=…  hands options to pytest. PYTHON=… chooses the interpreter that makes $(VENV)."

env: $(STAMP)  ## Make .venv with everything that is needed; quick when it is there.

$(STAMP): pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or later with venv found. Install one, or say make PYTHON=/path/to/python3." >&2; exit 1; }
	@echo "Making $(VENV) with $(PYTHON) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[$(EXTRAS)]" $(GROUPS)
	@touch $@

demo: $(STAMP)  ## Run the photo and order desk: pages, worker, a service that fails at random. Ctrl-C ends it.
	@exec $(BIN)/python manage.py demo $(if $(ONCE),--once) $(if $(KILL),--kill)

test: lint floors types  ## Run all checks and all tests, file by file in two processes.
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile $(PYTEST_ARGS)

SERVER_SUITES ?= tests/contract tests/store tests/worker tests/api tests/features tests/tasks tests/outbox tests/fleet tests/acceptance

test-server: $(STAMP)  ## Run the tests of all that speaks to Redis on a server of yours: SERVER_URL=redis://host:port. It is EMPTIED.
	@test -n "$(SERVER_URL)" || { echo "Say make test-server SERVER_URL=redis://host:port (or unix:///path). All its data go." >&2; exit 1; }
	KIQ_TEST_SERVER_URL=$(SERVER_URL) KIQ_TEST_LAYOUT=$(LAYOUT) $(BIN)/python -m pytest $(SERVER_SUITES) $(PYTEST_ARGS)

FLEET := worker kills poison processes deploys operations operations_outlive_workers kiq_operations kiq_command kiq_live embedded

.PHONY: fleet
fleet: $(STAMP)  ## Run the acceptance suite on a cluster of three masters, then over partitions (10 minutes); LAYOUT=masters for one.
	@for layout in $(if $(LAYOUT),$(LAYOUT),masters partitions); do echo "-- $$layout"; \
		KIQ_TEST_LAYOUT=$$layout $(BIN)/python -m pytest -q $(FLEET:%=tests/acceptance/test_%.py) $(PYTEST_ARGS) || exit 1; done

lint: $(STAMP)  ## Check style with ruff.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(STAMP)  ## Let ruff format everything and mend what it can.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(STAMP)  ## Check types with mypy, strictly.
	$(BIN)/mypy

floors: $(STAMP)  ## Check that every module imports only from lower floors.
	$(BIN)/lint-imports

conformance: $(STAMP)  ## Run Django's own tests of django.tasks against our backend, on every Django that we support.
	$(BIN)/python -m tests.conformance

kills: $(STAMP)  ## Kill workers at random while 4 x 5,000 jobs run, and count: nothing may be missing.
	$(BIN)/python -m tests.acceptance.kill_run --jobs 5000 --kills 20 --runs 4

soak: $(STAMP)  ## Let a worker work for half an hour, and see whether memory, threads, connections or keys grow.
	$(BIN)/python -m tests.soak --minutes 30

chaos: $(STAMP)  ## Ten minutes of chaos: workers and Redis are killed, frozen, cut off; then count what ran.
	$(BIN)/python -m tests.chaos.run --minutes 10

chaos-ci: $(STAMP)  ## The same for two minutes.
	$(BIN)/python -m tests.chaos.run --minutes 2

chaos-night: $(STAMP)  ## All of it at its largest: models, every step of the protocol, lost answers, an hour of chaos.
	$(BIN)/python -m tests.chaos.model --large
	KIQ_CHAOS_TIMES=20 KIQ_CHAOS_LOSSES=1000 KIQ_CHAOS_EXAMPLES=5000 KIQ_CHAOS_STEPS=100 KIQ_CHAOS_STOPS=200 \
		KIQ_CHAOS_FAILOVERS=50 KIQ_CHAOS_GRIP=20 KIQ_FUZZ_SEEDS=130 \
		$(BIN)/python -m pytest tests/chaos tests/security/test_fuzz.py -q --timeout 7200
	$(BIN)/python -m tests.chaos.run --minutes 60

.PHONY: chaos-mixed
chaos-mixed: $(STAMP)  ## Two minutes of chaos with one worker of another version: OLD=v1.2, or any commit.
	@test -n "$(OLD)" || { echo "Say which: make chaos-mixed OLD=v1.2" >&2; exit 2; }
	git worktree add --detach --force $(VENV)/old $(OLD)
	$(BIN)/python -m tests.chaos.run --minutes 2 --other $(VENV)/old; code=$$?; git worktree remove --force $(VENV)/old; exit $$code

chaos-mutants: $(STAMP)  ## Give the product one bug after the other: each must be caught.
	$(BIN)/python -m tests.chaos.mutants

roles: $(STAMP)  ## Run the tests with the least rights: each part of the product as the user of Redis that it should have.
	KIQ_TEST_ROLES=1 $(BIN)/python -m pytest --ignore tests/browser $(PYTEST_ARGS)

bench: $(STAMP)  ## Measure us beside Sidekiq, Celery and the others on the same servers (an hour); BENCH_ARGS=… as bench.peers takes them.
	$(BIN)/python -m bench.peers $(BENCH_ARGS)

bench-growth: $(STAMP)  ## Measure what a job costs with up to a million waiting, 1,000 queues, 100 kB a payload.
	$(BIN)/python -m bench.growth

chaos-peers: $(STAMP)  ## Kill everybody's workers and Redis the same way, and count what is lost.
	$(BIN)/python -m bench.peers.kills

bench-dashboard: $(STAMP)  ## Measure every page of the dashboard over a million jobs.
	$(BIN)/python -m bench.dashboard

messages: $(STAMP)  ## Merge the texts of the source into kiq_django/locale, compile, and say what is left to translate.
	$(BIN)/python -m tests.catalogs

shots: $(STAMP)  ## Take the pictures of the documentation with chromium, into docs/images.
	KIQ_SHOTS=docs/images $(BIN)/python -m pytest tests/browser/test_pictures.py -k documentation

pictures: $(STAMP)  ## Take pictures of all pages, light and dark, wide and narrow, into build/pictures.
	KIQ_SHOTS=build/pictures $(BIN)/python -m pytest tests/browser --deselect tests/browser/test_pictures.py::test_documentation

clean:  ## Throw away .venv, caches and what the demo has left.
	rm -rf $(VENV) .conformance .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis example_project/var
