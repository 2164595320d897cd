#!/bin/sh
# Runs `go test` with the given arguments on a local control plane, with the race detector where it can be had.
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
exec go test $race -timeout 30m "$@"
