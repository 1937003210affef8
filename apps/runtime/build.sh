#!/bin/sh
# One executable, bin/ctr-runtime (docs/decisions/0015-oci-runtime-start-up.md).
set -eu
cd "$(dirname "$0")"
output=${1:-../../bin/ctr-runtime}
mkdir -p "$(dirname "$output")"
# Written beside and renamed: a running one keeps its file.
temporary="$(dirname "$output")/.ctr-runtime.$$"
trap 'rm -f "$temporary"' EXIT
../../node_modules/.bin/bun build.ts "$temporary"
mv "$temporary" "$output"
