# Versions of the development tools, the one place to change them. `go install` fetches them through the module proxy.
CONTROLLER_TOOLS_VERSION := v0.23.0
SETUP_ENVTEST_VERSION := v0.25.1
CRD_REF_DOCS_VERSION := v0.3.0
