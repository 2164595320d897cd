# Versions of the development tools: the one place to change them, but for golangci-lint and kube-api-linter (hack/lint/go.mod) and the
# control plane (hack/k8s/go.mod), whose whole dependency graph is pinned. `go install` fetches them through the Go module proxy.
CONTROLLER_GEN_VERSION := v0.23.0
CRD_REF_DOCS_VERSION := v0.3.0
SETUP_ENVTEST_VERSION := v0.25.1

BIN := $(CURDIR)/bin
CONTROLLER_GEN := $(BIN)/controller-gen-$(CONTROLLER_GEN_VERSION)
CRD_REF_DOCS := $(BIN)/crd-ref-docs-$(CRD_REF_DOCS_VERSION)
GOLANGCI_LINT := $(BIN)/golangci-lint

# $(call go-install,package,version): the version is in the file's name, so a changed pin is a missing file. The stray environment of a cross build is kept out.
define go-install
	@echo "installing $(notdir $(1)) $(2)" >&2
	@mkdir -p $(BIN)/.install && cd $(BIN)/.install && GOBIN=$(BIN)/.install GOOS= GOARCH= GOWORK=off CGO_ENABLED=0 go install $(1)@$(2)
	@mv $(BIN)/.install/$(notdir $(1)) $@
endef

$(CONTROLLER_GEN):
	$(call go-install,sigs.k8s.io/controller-tools/cmd/controller-gen,$(CONTROLLER_GEN_VERSION))

$(CRD_REF_DOCS):
	$(call go-install,github.com/elastic/crd-ref-docs,$(CRD_REF_DOCS_VERSION))

$(GOLANGCI_LINT): hack/lint/go.mod hack/lint/go.sum hack/lint/main.go
	@echo "building golangci-lint with kube-api-linter: 2 to 4 minutes the first time" >&2
	@cd hack/lint && GOOS= GOARCH= GOWORK=off CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o $@ .
