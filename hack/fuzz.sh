#!/bin/sh
# Runs every fuzz target of the packages for a while each: fuzz.sh TIME PACKAGES
set -eu
time=$1
shift
count=0
for dir in $(go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.Dir}}{{end}}' "$@"); do
	for target in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$dir"/*_test.go); do
		echo "fuzzing $target in ${dir#"$PWD"/} for $time"
		(cd "$dir" && go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" .)
		count=$((count + 1))
	done
done
echo "$count fuzz targets ran for $time each"
