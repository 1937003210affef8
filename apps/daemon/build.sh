#!/bin/sh
# bin/ctrd, and the files that it runs, in apps/daemon/dist (docs/decisions/0023-the-daemon-as-a-few-files.md).
set -eu
cd "$(dirname "$0")"
trap 'rm -rf dist.new' EXIT
rm -rf dist.new
../../node_modules/.bin/bun build.ts "$PWD/dist.new"
# A daemon that runs may still load parts of the last build, which have names of their own.
mkdir -p dist
find dist -type f -mtime +7 -delete
for file in dist.new/*; do mv "$file" dist/; done
cp ctrd.sh ../../bin/ctrd.new
chmod 755 ../../bin/ctrd.new
mv ../../bin/ctrd.new ../../bin/ctrd
