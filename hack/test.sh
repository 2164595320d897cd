#!/bin/sh
# Runs `go test` with the given arguments on a local control plane, with the race detector where it can be had. Two words stand for more:
#   packages  every package but the integration suite
#   suite     the integration suite: it waits more than it works, so two processes share its specs, each with a control plane of its own
# go vet is the linters' (make lint): here it would go through every dependency once more, with cold caches for minutes.
set -eu
cc=$(go env CC)
race=
# CC may carry flags: its first word is the program.
if command -v "${cc%% *}" >/dev/null 2>&1; then
	race=-race
	export CGO_ENABLED=1
else
	echo "==============================================================================" >&2
	echo "WARNING: no C compiler ($cc), so the tests run WITHOUT the race detector." >&2
	echo "==============================================================================" >&2
fi
KUBEBUILDER_ASSETS=$(go run ./hack/assets)
export KUBEBUILDER_ASSETS
case "$*" in
packages)
	# shellcheck disable=SC2046 # one word each
	set -- $(go list ./... | grep -v '/test/integration$')
	;;
suite)
	exec go run github.com/onsi/ginkgo/v2/ginkgo run $race --vet=off --procs=2 --timeout=40m --output-interceptor-mode=none ./test/integration
	;;
esac
exec go test $race -vet=off -timeout 30m "$@"
