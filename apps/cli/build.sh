#!/bin/sh
# One executable, bin/ctr: byte code beside the source, so that nothing is parsed at start; split, because without it the
# imports of every command are hoisted to the start (docs/decisions/0013).
# Autoloading is off: bunfig.toml and .env of the current directory would be read, and what bunfig preloads executed.
set -eu
cd "$(dirname "$0")"
root=../..
output=${1:-$root/bin/ctr}
mkdir -p "$(dirname "$output")"
# Written beside and renamed: a running ctr keeps its file.
temporary="$(dirname "$output")/.ctr.$$"
trap 'rm -f "$temporary"' EXIT
"$root/node_modules/.bin/bun" build --compile --no-compile-autoload-bunfig --no-compile-autoload-dotenv --minify --bytecode --format=esm --splitting \
  src/main.ts --outfile "$temporary" >/dev/null
mv "$temporary" "$output"
