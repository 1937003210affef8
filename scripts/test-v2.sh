#!/bin/sh
# The runtime's tests on a machine with nothing but cgroup v2.
#
#   npm run test:v2 [-- TEST-FILE...]
#   npm run test:v2 -- --systemd [TEST-FILE...]    with systemd as PID 1: the tests of its cgroup driver
#
# On a host that is pure v2 they run directly. Elsewhere CTR_V2VM names a program that boots such a machine, e.g. a small
# virtual one: `$CTR_V2VM --share DIR -- COMMAND...` runs COMMAND as root in it and exits with its status. The machine
# sees this host's files, and with `--init systemd` boots its systemd; what it writes is thrown away, but for DIR, which
# both see at the same path. Without either,
# the tests are skipped, and this says so; at the end it lists what was skipped in the machine. CTR_TEST_SLOW multiplies the time that tests wait (an emulated machine: 8).
set -eu
cd "$(dirname "$0")/.."

is_pure_v2() {
  [ "$(stat -f -c %T /sys/fs/cgroup 2>/dev/null)" = cgroup2fs ]
}

tests() {
  if [ $# -gt 0 ]; then
    printf '%s\n' "$@"
    return
  fi
  printf '%s\n' packages/shim/test/container-*.test.ts packages/shim/test/start.test.ts packages/linux/src/cgroup/*.test.ts \
    packages/linux/test/*.test.ts test/storage-size.test.ts test/cgroups.test.ts test/cgroups-v2.test.ts test/limits.test.ts \
    test/capabilities.test.ts test/state-record.test.ts packages/engine/test/container-*.test.ts \
    packages/shim/test/user-namespace.test.ts packages/engine/test/user-namespace.test.ts \
    apps/runtime/test/resources.test.ts apps/runtime/test/lifecycle.test.ts apps/runtime/test/process.test.ts \
    apps/runtime/test/systemd.test.ts test/systemd.test.ts
}

run() {
  report=$(mktemp)
  status=0
  # shellcheck disable=SC2046 # names of tests have no blanks
  node_modules/.bin/node --test --test-concurrency=2 --test-timeout=$((60000 * ${CTR_TEST_SLOW:-1})) \
    --test-reporter=spec --test-reporter-destination=stdout \
    --test-reporter=tap --test-reporter-destination="$report" $(tests "$@") || status=$?
  sed -n 's/^ *ok [0-9]* - \(.*\) # SKIP *\(.*\)$/test:v2: skipped: \1: \2/p' "$report"
  rm "$report"
  return $status
}

# Inside the machine: a file system for the tests that can be an overlay's upper directory, thrown away with the machine.
if [ "${1:-}" = --in-machine ]; then
  shift
  is_pure_v2 || { echo "test:v2: the machine of CTR_V2VM is not pure cgroup v2" >&2; exit 1; }
  mount -t tmpfs tmpfs /tmp
  # For the tests of project quotas.
  modprobe -a loop quota_v2 2>/dev/null || true
  ip link set lo up 2>/dev/null || true
  run "$@"
  exit
fi

machine=
if [ "${1:-}" = --systemd ]; then
  machine='--init systemd'
  shift
  [ $# -gt 0 ] || set -- apps/runtime/test/systemd.test.ts test/systemd.test.ts
fi
sh scripts/setup.sh setup
# The daemon and the commands as they have just been built.
export CTR_TEST_CTRD="$PWD/bin/ctrd"
if is_pure_v2; then
  run "$@"
elif [ -n "${CTR_V2VM:-}" ]; then
  directory=$(mktemp -d)
  trap 'rm -rf "$directory"' EXIT
  # shellcheck disable=SC2086 # both may have arguments
  $CTR_V2VM $machine --share "$directory" -- env "CTR_TEST_SLOW=${CTR_TEST_SLOW:-8}" "CTR_TEST_CTRD=$CTR_TEST_CTRD" sh "$PWD/scripts/test-v2.sh" --in-machine "$@"
else
  echo "test:v2: skipped: this host mounts cgroup v1; set CTR_V2VM (see scripts/test-v2.sh)"
fi
