# `make` alone lists the targets.
.DEFAULT_GOAL := help
VENV := target/venv
export AWS_EC2_METADATA_DISABLED := true

help: ## this list
	@awk -F ':.*## ' '/^[a-zA-Z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## the proxy on this machine, with demo upstreams and a demo page; no account needed
	@python3 examples/demo/run.py

test: ## everything: format, lints, unit tests, templates, the function under the emulator, a browser
	@python3 tests/run.py

check: ## the fast part of `make test`: no network, no services
	@python3 tests/run.py --fast

deploy: ## check, build and deploy one stage: make deploy ENV=prod (default: dev)
	cargo run --quiet --features cli --bin countersign -- check
	sam build --config-env $(or $(ENV),dev)
	sam deploy --config-env $(or $(ENV),dev)

# SAM calls this for the function named ProxyFunction (BuildMethod: makefile).
# The configuration and what it names (schemas/, keys/) travel beside the binary: one
# deployment is one version of all. FEATURES=otlp: docs/guides/traces.md
build-ProxyFunction:
	cargo lambda build --release --bin proxy $(if $(FEATURES),--features $(FEATURES)) $(if $(filter arm64,$(ARCHITECTURE)),--arm64,--x86-64)
	cp $${CARGO_TARGET_DIR:-target}/lambda/proxy/bootstrap $(ARTIFACTS_DIR)/
	cp countersign.yaml $(ARTIFACTS_DIR)/
	for folder in schemas keys; do if [ -d $$folder ]; then cp -R $$folder $(ARTIFACTS_DIR)/; fi; done

.PHONY: help run test check deploy build-ProxyFunction
