#!/bin/sh
# dist/ctr, the client: one executable, byte code beside the source, so that nothing is parsed at start; split, because without it
# the imports of every command are hoisted to the start (docs/decisions/0013). And bin/ctr, which has the daemon do `run` and `exec`
# and is replaced by dist/ctr for the rest (docs/decisions/0026).
# Autoloading is off: bunfig.toml and .env of the current directory would be read, and what bunfig preloads executed.
set -eu
cd "$(dirname "$0")"
root=../..
make -s -C native
mkdir -p dist "$root/bin"
# Written beside and renamed: a running ctr keeps its file.
trap 'rm -f "dist/.ctr.$$" "$root/bin/.ctr.$$"' EXIT
"$root/node_modules/.bin/bun" build --compile --no-compile-autoload-bunfig --no-compile-autoload-dotenv --minify --bytecode --format=esm --splitting \
  src/main.ts --outfile "dist/.ctr.$$" >/dev/null
mv "dist/.ctr.$$" dist/ctr
cp native/build/ctr "$root/bin/.ctr.$$"
mv "$root/bin/.ctr.$$" "$root/bin/ctr"
