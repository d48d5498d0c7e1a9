# Needed: Python 3.11 or newer, make, and a package registry. `make` without a target lists the targets. Only `verify` and
# `drift` need an AWS account, and only `invoke` needs Docker.

PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)

# With these variables of the caller the tools would import other packages than those of their environments.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV
# With this one each of many short processes would compile the modules that it imports.
unexport PYTHONDONTWRITEBYTECODE

TEST := .venv/test/bin
SAM := .venv/sam/bin
CHECKED := handler local tests tools
# uv installs the environments five times as fast as pip. If there is none, pip installs it first.
UV := $(if $(shell command -v uv),,uv)
export PATH := $(PATH):$(CURDIR)/.venv/uv/bin
# The environments that each target needs. The CDK example is tested only on machines with Node.js.
FOR_DEMO := $(UV) demo sam engine
FOR_VERIFY := $(UV) demo sam
FOR_TESTS := $(UV) test sam engine
FOR_ALL_TESTS := $(FOR_TESTS) $(if $(shell command -v node),cdk)
complete = $(1:%=.venv/%/.complete)

# --yes starts without asking; --region REGION, --key ARN (a KMS key to try), --report FILE.
VERIFY_FLAGS :=

EVENT := create
# More flags for sam local invoke, such as --skip-pull-image.
SAM_FLAGS :=
# Containers reach this machine as host.docker.internal: the address of Docker's bridge (Linux), or the loopback interface
# (Docker Desktop).
STANDIN_HOST = $(or $(shell ip -4 -o addr show docker0 2>/dev/null | awk '{split($$4, a, "/"); print a[1]}'),127.0.0.1)
# The account of the function under sam local invoke; its domains must be in the same one.
SAM_LOCAL_ACCOUNT := 012345678912
# No credentials of the user reach a container, and nothing reaches an AWS account.
WITHOUT_AWS := env -u AWS_PROFILE -u AWS_DEFAULT_PROFILE -u AWS_SESSION_TOKEN AWS_ACCESS_KEY_ID=local \
	AWS_SECRET_ACCESS_KEY=local AWS_DEFAULT_REGION=eu-central-1 SAM_CLI_TELEMETRY=0

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

## Commands

.PHONY: demo
demo: SET_UP = $(FOR_DEMO)
demo: $(call complete,$(FOR_DEMO)) ## the life of a stack on this machine: create, update, drift, rename, rollback, delete
	@.venv/demo/bin/python -m local.demo

.PHONY: verify
verify: SET_UP = $(FOR_VERIFY)
verify: $(call complete,$(FOR_VERIFY)) ## the same and more in your AWS account; asks first, removes everything that it made
	@.venv/demo/bin/python -m local.verify $(VERIFY_FLAGS)

# The environments are installed at the same time, and the checks run beside what is left to install and the tests.
.PHONY: test
test: ## the whole test suite, on all cores
	+@$(MAKE) --no-print-directory $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,--jobs=4) \
		SET_UP="$(FOR_ALL_TESTS)" check pytest

.PHONY: pytest
pytest: $(call complete,$(FOR_ALL_TESTS))
	env -u MAKEFLAGS $(TEST)/pytest --numprocesses auto --dist loadgroup

.PHONY: check
check: .venv/test/.complete ## formatting, types and templates
	$(TEST)/ruff check $(CHECKED) examples
	$(TEST)/ruff format --check $(CHECKED) examples
	$(TEST)/mypy $(CHECKED)
	$(TEST)/cfn-lint --append-rules tools/lint/rules -- template.yaml $(shell find examples -name '*.yaml')

.PHONY: soak
soak: .venv/test/.complete ## thousands of random sequences of events and faults, new ones each time
	HYPOTHESIS_PROFILE=soak $(TEST)/pytest --timeout 0 tests/handler/test_state_machine.py

.PHONY: bench
bench: environments ## measure cold and warm starts beside alternatives, and a hundred domains at once
	@$(TEST)/python -m tools.bench

.PHONY: docs
docs: .venv/test/.complete ## write the tables of docs/properties-and-outputs.md again, from the API's model
	$(TEST)/python -m tools.tables

.PHONY: schema
schema: .venv/test/.complete ## write the schemas in tools/lint/ again, from the API's model
	$(TEST)/python -m tools.schema

.PHONY: drift
drift: .venv/test/.complete ## what differs between the template of STACK=name (or ALL=1) and the live domains; only reads
	@$(TEST)/python -m tools.drift $(if $(ALL),--all,--stack "$(STACK)") $(if $(REGION),--region "$(REGION)") \
		$(if $(PROFILE),--profile "$(PROFILE)") $(if $(JSON),--json)

.PHONY: standin
standin: .venv/test/.complete ## the Customer Profiles stand-in for `make invoke`, until Ctrl-C
	@echo "The stand-in for Customer Profiles listens here; in another terminal: make invoke EVENT=create"
	@MOTO_ACCOUNT_ID=$(SAM_LOCAL_ACCOUNT) $(TEST)/python -m local.server --host $(STANDIN_HOST) --port 5180

.PHONY: invoke
invoke: .venv/sam/.complete ## sam local invoke with EVENT=create, update or delete (needs Docker, and `make standin`)
	$(WITHOUT_AWS) $(SAM)/sam build
	$(WITHOUT_AWS) $(SAM)/sam local invoke Function --event events/$(EVENT).json --env-vars events/env.json \
		--add-host host.docker.internal:host-gateway $(SAM_FLAGS)

.PHONY: clean
clean: ## remove what was built, but not the environments
	rm -rf .aws-sam .hypothesis .mypy_cache .pytest_cache .ruff_cache

.PHONY: locks
locks: ## pin the packages of requirements/*.in and handler/requirements.in again (needs uv)
	$(call lock,handler/requirements,3.13)
	$(call lock,requirements/test,3.11)
	$(call lock,requirements/demo,3.11)
	$(call lock,requirements/sam,3.11)
	$(call lock,requirements/engine,3.11)
	$(call lock,requirements/cdk,3.11)
	$(call lock,requirements/uv,3.11)

# $(call lock,FILE,OLDEST PYTHON) makes FILE.txt from FILE.in, without the address of any registry.
define lock
@echo "Pinning $(1).txt"
@cd $(dir $(1)) && { echo "# Made from $(notdir $(1)).in by make locks." && uv pip compile --quiet --no-config --universal \
	--python-version $(2) --generate-hashes --no-emit-index-url --no-emit-find-links --no-header $(notdir $(1)).in; \
	} >$(notdir $(1)).new && mv $(notdir $(1)).new $(notdir $(1)).txt
endef

## Environments: several, since the demo, the tests, SAM and the local engine pin different versions of botocore

.PHONY: environments
environments: SET_UP = $(FOR_TESTS)
environments: $(call complete,$(FOR_TESTS)) ## install .venv/test, .venv/sam (the SAM CLI) and .venv/engine

.venv/%/.complete: requirements/%.txt | $(call complete,$(UV))
	$(call announce,$*)
	@rm -rf .venv/$*
	@{ command -v uv >/dev/null && uv venv --quiet --no-project --no-config --python "$$(command -v $(PYTHON))" .venv/$* && \
		$(PYTHON) handler/package_index.py uv pip sync --quiet --no-config --require-hashes \
			--python .venv/$*/bin/python $<; } || { \
		echo "  without uv: pip takes longer" && rm -rf .venv/$* && \
		$(PYTHON) -m venv .venv/$* && $(call install_with_pip,$*); }
	@.venv/$*/bin/python handler/package_index.py --check $<
	@touch $@

.venv/uv/.complete: requirements/uv.txt
	$(call announce,uv)
	@rm -rf .venv/uv
	@$(PYTHON) -m venv .venv/uv
	@$(call install_with_pip,uv) || echo "  uv does not exist for this machine"
	@touch $@

# $(call announce,ENVIRONMENT) says which environment of how many is being installed, or why it cannot be.
define announce
@test -n "$(PYTHON)" || { echo "make: no Python 3.11 or newer found; name one with make PYTHON=/path/to/python3" >&2; exit 1; }
@command -v $(PYTHON) >/dev/null || { echo "make: there is no $(PYTHON)" >&2; exit 1; }
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	echo "make: $(PYTHON) is $$($(PYTHON) --version 2>&1), but 3.11 or newer is needed;" \
		"name one with make PYTHON=/path/to/python3" >&2; exit 1; }
@set -- $(or $(SET_UP),$(1)); count=$$#; while test $$# -gt 1 -a "$$1" != $(1); do shift; done; \
	echo "Environment $$((count - $$# + 1)) of $$count: installing .venv/$(1)" \
		"($$(grep -c == requirements/$(1).txt) packages, $$($(PYTHON) --version))"
endef

# $(call install_with_pip,ENVIRONMENT). Modules are compiled when they are first imported; most never are.
install_with_pip = $(PYTHON) handler/package_index.py .venv/$(1)/bin/python -m pip install --quiet --no-compile \
	--require-hashes --no-deps --disable-pip-version-check -r requirements/$(1).txt
