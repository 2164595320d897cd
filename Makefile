# Everything here works with Go, make and git alone. `make help` lists what there is.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

include hack/tools.mk

# What `make test` tests, and further arguments of `go test`: make test PKG=./internal/drasi/... TESTARGS='-run Render -v'
PKG ?= ./...
TESTARGS ?=
# How long each fuzz target runs: make fuzz FUZZTIME=1m
FUZZTIME ?= 10s
# What `make bench` measures, and where its figures go: make bench CASES=ready,crash N=100 OUT=docs/performance.md BENCHARGS='-etcd volatile'
CASES ?= all
N ?= 500
OUT ?=
BENCHARGS ?=
# The tests of the Process driver that depend on cgroups: all of them take long where the machine has to be emulated.
VMTESTS := Group|Survives|User|Reach|Plants|Cgroups|ItsSession|Limit|TestConformance/(what_becomes|an_end_for_want|limits_that)|Proc|Right
# How long `make soak` goes on: kills of the agent, starts with fail-overs, seconds of the API server's outage, and seconds for which nothing happens.
KILLS ?= 500
STARTS ?= 1000
OUTAGE ?= 600
IDLE ?= 600
# The real server, instead of the simulated one: make run DRASI_SERVER=/path PLUGINS_DIR=/path
DRASI_SERVER ?=
PLUGINS_DIR ?=

GENERATED := api/v1alpha1/zz_generated.deepcopy.go config/crd/bases config/rbac/controller_role.yaml config/rbac/agent_role.yaml docs/reference/api.md

##@ General

.PHONY: help
help: ## Show this list.
	@awk 'BEGIN {FS = ":.*##"; printf "Usage: make TARGET [VARIABLE=value]\n"} \
	/^##@/ {printf "\n%s\n", substr($$0, 5)} \
	/^[a-z-]+:.*##/ {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: clean
clean: ## Remove what was built here; the control plane's cache and the state of `make run` stay.
	rm -rf bin dist cover.out

##@ Use

.PHONY: run
run: ## Start a local control plane, controller, agent and a sample instance; Ctrl-C stops all. (DRASI_SERVER=, PLUGINS_DIR=)
	@echo "building bin/draas-run (a minute or two the first time)"
	@CGO_ENABLED=0 go build -trimpath -o bin/draas-run ./hack/run
	@exec bin/draas-run -drasi-server '$(DRASI_SERVER)' -plugins-dir '$(PLUGINS_DIR)'

.PHONY: build
build: ## Build bin/manager: controller and agent in one binary.
	CGO_ENABLED=0 go build -trimpath -o bin/manager ./cmd/manager

.PHONY: assets
assets: ## Find, download or build etcd, kube-apiserver and kubectl, and print their directory.
	@go run ./hack/assets

##@ Generate

.PHONY: generate
generate: $(CONTROLLER_GEN) ## Generate the deep copies of the API types.
	$(CONTROLLER_GEN) object paths=./api/...

.PHONY: manifests
manifests: $(CONTROLLER_GEN) ## Generate the CRDs and the roles of controller and agent.
	$(CONTROLLER_GEN) crd paths=./api/... output:crd:artifacts:config=config/crd/bases
	go run ./hack/crd config/crd/bases
	$(CONTROLLER_GEN) rbac:roleName=draas-controller,fileName=controller_role.yaml paths=./internal/controller/... output:rbac:artifacts:config=config/rbac
	$(CONTROLLER_GEN) rbac:roleName=draas-agent,fileName=agent_role.yaml paths=./internal/agent/... output:rbac:artifacts:config=config/rbac

.PHONY: api-docs
api-docs: $(CRD_REF_DOCS) ## Generate docs/reference/api.md from the API types.
	@mkdir -p docs/reference
	$(CRD_REF_DOCS) --source-path=api --config=hack/crd-ref-docs.yaml --renderer=markdown --max-depth=20 --output-path=docs/reference/api.md

##@ Check

.PHONY: verify
verify: generate manifests api-docs ## Check that all that is generated is current and committed, that go.mod is tidy, and that the CRDs are small enough.
	@stale="$$(git status --porcelain -- $(GENERATED))"; \
	if [ -n "$$stale" ]; then git --no-pager diff -- $(GENERATED); \
		echo "generated files are not current or not committed: run make generate manifests api-docs and commit" >&2; echo "$$stale" >&2; exit 1; fi
	go mod tidy -diff
	go run ./hack/crdsize config/crd/bases

.PHONY: fmt
fmt: $(GOLANGCI_LINT) ## Format the Go code (gofumpt, goimports).
	$(GOLANGCI_LINT) fmt

.PHONY: vet
vet: ## Run go vet.
	go vet ./...

.PHONY: lint
lint: lint-api ## Run golangci-lint on the Go code, and kube-api-linter on the API types.
	$(GOLANGCI_LINT) run ./...

.PHONY: lint-api
lint-api: $(GOLANGCI_LINT) ## Run kube-api-linter on the API types alone.
	$(GOLANGCI_LINT) run -c .golangci-api.yml ./api/...

##@ Test

.PHONY: test
test: ## Run all tests on a real etcd and kube-apiserver, with the race detector where there is a C compiler. (PKG=, TESTARGS=)
ifeq ($(strip $(PKG) $(TESTARGS)),./...)
	@$(MAKE) --no-print-directory -k -j2 test-packages test-suite
else
	@sh hack/test.sh $(PKG) $(TESTARGS)
endif

.PHONY: test-packages test-suite
test-packages test-suite: test-%:
	@sh hack/test.sh $*

.PHONY: contract
contract: ## Run the contract suite against the simulated server, or a real one. (DRASI_SERVER=, PLUGINS_DIR=, TESTARGS=)
	DRASI_SERVER='$(DRASI_SERVER)' PLUGINS_DIR='$(PLUGINS_DIR)' go test -count=1 -timeout 30m ./test/contract/... $(TESTARGS)

.PHONY: test-vm
test-vm: ## Run the cgroup and process tests, and the systemd unit, in a Debian machine under qemu with cgroup v2 alone.
	CGO_ENABLED=0 go build -trimpath -o bin/draas-vm ./hack/vm
	bin/draas-vm test ./internal/cgroup
	bin/draas-vm -memory 2048 test ./internal/platform/process -- -test.run '$(VMTESTS)'
	bin/draas-vm -memory 1536 -timeout 25m systemd

.PHONY: bench
bench: ## Measure apply to Ready, crashes, adoption, memory and idle cost. (CASES=, N=, OUT=, BENCHARGS=)
	go run ./test/bench -cases '$(CASES)' -n $(N) $(if $(OUT),-out '$(OUT)') $(BENCHARGS)

.PHONY: soak
soak: ## Run the long forms of the fault tests: over an hour. (KILLS=, STARTS=, OUTAGE=, IDLE=)
	DRAAS_STORM_KILLS=$(KILLS) DRAAS_FAILOVER_STARTS=$(STARTS) DRAAS_OUTAGE=$(OUTAGE) DRAAS_CRASH_ALL=1 \
		sh hack/test.sh ./test/integration -v -timeout 3h -ginkgo.timeout 3h -ginkgo.v -ginkgo.label-filter='storm || crash || failover || flood || outage'
	go run ./test/bench -cases idle -idle $(IDLE)s

.PHONY: fuzz
fuzz: ## Run every fuzz target for a short while. (FUZZTIME=10s, PKG=)
	@sh hack/fuzz.sh $(FUZZTIME) $(PKG)
