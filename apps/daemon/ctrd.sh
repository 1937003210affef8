#!/bin/sh
# Runs the daemon with the Node of this workspace, through symlinks and from any directory. Its source is apps/daemon/ctrd.sh.
# Each of these saves memory, and --expose-gc time, too: docs/decisions/0016-memory-of-the-daemon.md
root=$(dirname -- "$(dirname -- "$(readlink -f -- "$0")")")
export MALLOC_ARENA_MAX="${MALLOC_ARENA_MAX:-1}"
cache=/var/cache/ctr/node # made by the daemon, for root alone
[ -O "$cache" ] && export NODE_COMPILE_CACHE="${NODE_COMPILE_CACHE:-$cache}"
exec "$root/node_modules/.bin/node" --max-semi-space-size=1 --v8-pool-size=1 --expose-gc "$root/apps/daemon/dist/main.mjs" "$@"
