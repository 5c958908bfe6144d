# Every command that CI or a person runs. `make help` lists them.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

CARGO ?= cargo
CONTROL_PLANE := $(CARGO) run --quiet --package kube-sci-e2e --bin control-plane --
RELEASE := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)/release

.PHONY: help
help: ## List the commands
	@grep -hE '^[a-zA-Z_-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 24

.PHONY: demo
demo: control-plane release ## The same work placed and scaled plainly and greenly, as tables and as a day in a minute
	$(RELEASE)/demo

.PHONY: test
test: ## Everything: lints, unit, property, integration, end to end on a real control plane, docs up to date
	scripts/test all

.PHONY: test-fast
test-fast: ## Everything that needs no control plane
	scripts/test fast

.PHONY: lint
lint: ## Format, clippy pedantic, public docs
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked --quiet

.PHONY: deny
deny: ## Licences, banned crates, sources (needs cargo-deny)
	$(CARGO) deny --offline check bans licenses sources

.PHONY: reference
reference: ## Write docs/reference anew from the code
	KUBE_SCI_UPDATE_REFERENCE=1 $(CARGO) test --locked --package kube-sci-extender --package kube-sci-metrics-adapter --test main reference

.PHONY: release
release: ## The programs as they are shipped
	$(CARGO) build --release --locked --package kube-sci-extender --package kube-sci-metrics-adapter --package kube-sci-e2e

.PHONY: control-plane
control-plane: ## Build Kubernetes, etcd, kwok, Prometheus and Scaphandre once (about 17 minutes on 2 cores, then cached)
	$(CONTROL_PLANE) build

.PHONY: local-cluster
local-cluster: control-plane release ## A control plane with four nodes and the extender, in the background; prints its kubeconfig
	$(CONTROL_PLANE) up --nodes e2e/local-cluster.yaml --extender $(RELEASE)/kube-sci-extender

.PHONY: local-cluster-down
local-cluster-down: ## End it
	$(CONTROL_PLANE) down

.PHONY: bench-extender
bench-extender: control-plane ## Latency, throughput and memory of the extender beside a no-op one in Go
	$(CARGO) build --release --locked --package kube-sci-extender --package kube-sci-bench
	$(RELEASE)/bench-extender --output target/bench/extender.json

.PHONY: bench-signals
bench-signals: control-plane ## Energy on its way in: parsing, 1,000 agents directly and through Prometheus, the join, decisions
	$(CARGO) build --release --locked --package kube-sci-bench
	$(RELEASE)/bench-signals --output target/bench/signals.json

.PHONY: bench-adapter
bench-adapter: control-plane ## The metrics adapter as autoscalers use it, beside prometheus-adapter and a constant in Go (builds both once)
	$(CARGO) build --release --locked --package kube-sci-metrics-adapter --package kube-sci-bench
	$(RELEASE)/bench-adapter --output target/bench/adapter.json

.PHONY: bench-forecast
bench-forecast: ## The forecast of carbon intensity on recorded traces: DATA=path
	$(CARGO) build --release --locked --package kube-sci-bench --bin bench-forecast
	$(RELEASE)/bench-forecast $(if $(DATA),--data "$(DATA)") --output target/bench/forecast.json

.PHONY: fuzz
fuzz: ## Coverage-guided fuzzing of every parser, a minute each
	scripts/fuzz 60

.PHONY: image
image: ## Build the container images (needs a container engine)
	docker build --file Containerfile --target extender --tag kube-sci/extender:dev .
	docker build --file Containerfile --target metrics-adapter --tag kube-sci/metrics-adapter:dev .

.PHONY: kind
kind: image ## A kind cluster with extender and metrics adapter (needs a container engine)
	kind-config/up
