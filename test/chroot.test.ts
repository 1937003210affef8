import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { requires, run } from '@ctr/testkit'

const repository = dirname(dirname(fileURLToPath(import.meta.url)))
const skip = requires({ root: true, commands: ['unshare', 'chroot'] })

/**
 * A directory that has all of the host and is no mount point itself, in a mount namespace that ends with the command;
 * its mounts are shared, as systemd makes them.
 */
const MAKE_ROOT = `
set -eu
root=$1; shift
mount -t tmpfs tmpfs "$root"; mount --make-shared "$root"
root=$root/inner; mkdir "$root"
for path in /*; do
  case $path in /tmp | /run | /boot | /lost+found) continue ;; esac
  if [ -L "$path" ]; then ln -s "$(readlink "$path")" "$root$path"
  elif [ -d "$path" ]; then mkdir "$root$path"; mount --rbind "$path" "$root$path"; fi
done
mkdir -m 1777 "$root/tmp"; mkdir "$root/run"
case $2 in /tmp/* | /run/*) mkdir -p "$root$2"; mount --rbind "$2" "$root$2" ;; esac
exec chroot "$root" sh -euc "$1"
`

const EXPECTED = `from outside
written
copied
copied
nobody
as many mounts
y
`

// Without user namespaces: the kernel makes none in a chroot. clone(2) EPERM
test('a daemon works in a chroot that is no mount point', { skip }, async () => {
  const place = mkdtempSync('/tmp/ctr-chroot-')
  const cgroup = `ctt-chroot-${process.pid}`
  const node = process.execPath
  const daemon = `${node} ${repository}/apps/daemon/src/main.ts -H unix:///tmp/s --data-root /tmp/data --exec-root /tmp/run --pidfile /tmp/pid --bridge none --cgroup-parent /${cgroup}`
  const script = `
export CTR_HOST=unix:///tmp/s HOME=/tmp
ctr() { ${repository}/bin/ctr "$@"; }
${daemon} >/tmp/log 2>&1 & daemon=$!
trap 'ctr ps -aq | xargs -r ${repository}/bin/ctr rm -f >/dev/null; kill $daemon; wait $daemon || cat /tmp/log
find /sys/fs/cgroup -depth -type d -name ${cgroup} -exec rmdir {} +' EXIT
for _ in $(seq 300); do ctr version >/dev/null 2>&1 && break; sleep 0.1; done
mounts() { grep -c . /proc/self/mountinfo; }
before=$(mounts)
mkdir /tmp/bound; echo from outside >/tmp/bound/file
ctr run --rm -v /tmp/bound:/bound busybox sh -c 'cat /bound/file; echo written >/bound/other'
cat /tmp/bound/other
ctr run -d --name it busybox sleep 300 >/dev/null
ctr exec it sh -c 'mkdir /x; echo copied >/x/y'
ctr cp it:/x/y /tmp/y; cat /tmp/y
ctr commit it copy >/dev/null; ctr run --rm copy cat /x/y
ctr run --rm --user nobody --read-only busybox id -un
# Nothing is shared with the host, and nothing of the host is behind the container's root.
[ "$(mounts)" = "$before" ] && echo as many mounts
nsenter -t "$(ctr inspect -f '{{.State.Pid}}' it)" -m /bin/busybox ls /x
ctr rm -f it >/dev/null
`
  try {
    const { code, stdout, stderr } = await run([
      'unshare',
      '--mount',
      '--propagation',
      'private',
      'sh',
      '-c',
      MAKE_ROOT,
      'sh',
      place,
      script,
      repository,
    ])
    assert.equal(code, 0, stderr)
    assert.equal(stdout, EXPECTED)
  } finally {
    rmSync(place, { recursive: true })
  }
})
