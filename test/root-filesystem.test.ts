import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { requires, startDaemon, waitFor } from '@ctr/testkit'
import { checkResult, field, inBusybox, useDaemon } from './daemon-fixture.ts'

const skip = requires({ root: true })
const ctrd = useDaemon({ bridge: false })

test('the root is one overlay and the old root has left no trace', { skip }, async () => {
  const out = await inBusybox(ctrd(), `ls -a / | grep -c pivot; awk '$5=="/"' /proc/1/mountinfo`)
  assert.match(out, /^0\n[^\n]* \/ \/ [^\n]* - overlay [^\n]*$/)
})

test('the mounts have the options of Docker', { skip }, async () => {
  const table = await ctrd().ok(['run', '--rm', 'busybox', 'mount'])
  const expected = [
    /^proc on \/proc type proc \(rw,nosuid,nodev,noexec,relatime\)$/m,
    /^tmpfs on \/dev type tmpfs \(rw,nosuid,size=65536k,mode=755.*\)$/m,
    /^devpts on \/dev\/pts type devpts \(rw,nosuid,noexec,relatime,gid=5,mode=620,ptmxmode=666\)$/m,
    /^shm on \/dev\/shm type tmpfs \(rw,nosuid,nodev,noexec,relatime,size=65536k.*\)$/m,
    /^mqueue on \/dev\/mqueue type mqueue \(rw,nosuid,nodev,noexec,relatime\)$/m,
    /^sysfs on \/sys type sysfs \(ro,nosuid,nodev,noexec,relatime\)$/m,
    /^cgroup\S* on \/sys\/fs\/cgroup\S* type cgroup2? \(ro,nosuid,nodev,noexec,relatime.*\)$/m,
  ]
  for (const pattern of expected) assert.match(table, pattern)
})

test('the device nodes are those of Docker and open to all', { skip }, async () => {
  const out = await inBusybox(
    ctrd(),
    'cd /dev; stat -c "%n %a %t:%T" null zero full tty random urandom',
  )
  assert.equal(
    out,
    'null 666 1:3\nzero 666 1:5\nfull 666 1:7\ntty 666 5:0\nrandom 666 1:8\nurandom 666 1:9',
  )
})

test('/dev holds nothing else', { skip }, async () => {
  assert.equal(
    await inBusybox(ctrd(), 'ls /dev | xargs'),
    `${existsSync('/proc/kcore') ? 'core ' : ''}fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero`,
  )
})

test('the links for standard streams are there', { skip }, async () => {
  const out = await inBusybox(
    ctrd(),
    'for f in fd stdin stdout stderr ptmx; do readlink /dev/$f; done',
  )
  assert.equal(out, '/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2\npts/ptmx')
})

test('/dev/console exists with a terminal only', { skip }, async () => {
  checkResult(
    { code: 1 },
    await ctrd().ctr(['run', '--rm', 'busybox', 'test', '-e', '/dev/console']),
  )
  checkResult(
    { code: 0 },
    await ctrd().ctr(['run', '--rm', '-t', 'busybox', 'test', '-c', '/dev/console']),
  )
})

test('standard input of a detached container is the /dev/null of the container', {
  skip,
}, async () => {
  await ctrd().ok(['run', '-d', '--name', 'dn', 'busybox', 'sleep', '300'])
  assert.equal(await ctrd().ok(['exec', 'dn', 'readlink', '/proc/1/fd/0']), '/dev/null')
  assert.equal(await ctrd().ok(['exec', 'dn', 'stat', '-L', '-c', '%t:%T', '/proc/1/fd/0']), '1:3')
})

test('the umask of the daemon does not reach the container', { skip }, async () => {
  await using strict = await startDaemon({ bridge: false, umask: '077' })
  const out = await inBusybox(strict, 'umask; stat -c %a /dev/null /etc /etc/hosts /tmp')
  assert.equal(out, '0022\n666\n755\n644\n1777')
})

test('a read-only root refuses writes, a tmpfs in it takes them', { skip }, async () => {
  const refused = await ctrd().ctr(['run', '--rm', '--read-only', 'busybox', 'touch', '/x'])
  checkResult({ code: 1, stderr: /Read-only file system/ }, refused)
  await ctrd().ok(['run', '--rm', '--read-only', '--tmpfs', '/tmp', 'busybox', 'touch', '/tmp/x'])
})

test('masked paths show nothing', { skip }, async () => {
  const script = `for f in kcore keys timer_list latency_stats sched_debug; do
    [ -e /proc/$f ] && [ "$(head -c 10 /proc/$f | wc -c)" != 0 ] && echo "$f"; done
    ls /proc/acpi /proc/scsi /sys/firmware /sys/devices/virtual/powercap 2>/dev/null | grep -v ':$' | grep .; true`
  assert.equal(await inBusybox(ctrd(), script), '')
})

test('kernel settings are read-only', { skip }, async () => {
  const script = `echo 1 >/proc/sys/kernel/panic; true >/proc/irq/default_smp_affinity; mkdir /sys/x`
  const { stderr } = await ctrd().ctr(['run', '--rm', 'busybox', 'sh', '-c', script])
  assert.equal(stderr.match(/Read-only file system/g)?.length, 3, stderr)
})

test('what one container writes, the next does not see', { skip }, async () => {
  await ctrd().ok([
    'run',
    '--name',
    'wa',
    'busybox',
    'sh',
    '-c',
    'touch /x; echo x >>/etc/passwd; rm -rf /bin/ls',
  ])
  assert.equal(
    await inBusybox(
      ctrd(),
      'ls /x 2>/dev/null; grep -c "^x$" /etc/passwd; test -e /bin/ls && echo ls',
    ),
    '0\nls',
  )
})

test('a deleted file of the image is a whiteout in the committed layer', { skip }, async () => {
  await ctrd().ok(['run', '--name', 'wd', 'busybox', 'rm', '/bin/ls'])
  const upper = await field(ctrd(), 'wd', '{{.GraphDriver.Data.UpperDir}}')
  assert.ok(existsSync(upper), upper)
  await ctrd().ok(['commit', 'wd', 'without-ls'])
  checkResult({ code: 127 }, await ctrd().ctr(['run', '--rm', 'without-ls', 'ls']))
  await ctrd().ok(['run', '--rm', 'busybox', 'ls'])
  await ctrd().ok(['rm', 'wd'])
  await ctrd().ok(['rmi', 'without-ls'])
})

test('only what a power cut removes does without the disk', { skip }, async () => {
  const root = `awk '$5=="/"' /proc/1/mountinfo`
  assert.doesNotMatch(await ctrd().ok(['run', 'busybox', 'sh', '-c', root]), /volatile/)
  const script = `echo run >>/runs; sync; ${root}; exec sleep 1000`
  const id = (await ctrd().ok(['run', '-d', '--rm', 'busybox', 'sh', '-c', script])).trim()
  for (let runs = 1; runs <= 3; runs++) {
    if (runs > 1) await ctrd().ok(['restart', '-t', '0', id])
    await waitFor(`run ${runs}`, async () => {
      const lines = (await ctrd().ok(['logs', id])).match(/^.*\bvolatile\b.*$/gm)
      return lines?.length === runs
    })
  }
  assert.equal(await ctrd().ok(['exec', id, 'cat', '/runs']), 'run\nrun\nrun')
  await ctrd().ok(['kill', id])
})

test('the writable directory goes with its container', { skip }, async () => {
  await ctrd().ok(['run', '--name', 'cc', 'busybox', 'touch', '/x'])
  const upper = await field(ctrd(), 'cc', '{{.GraphDriver.Data.UpperDir}}')
  assert.ok(existsSync(`${upper}/x`))
  await ctrd().ok(['rm', 'cc'])
  assert.ok(!existsSync(upper))
})

test('hosts, hostname and resolv.conf follow the flags', { skip }, async () => {
  const flags = ['--hostname', 'hh', '--add-host', 'db:10.1.2.3', '--dns', '9.9.9.9']
  const out = await inBusybox(
    ctrd(),
    'cat /etc/hostname /etc/resolv.conf; grep db /etc/hosts',
    flags,
  )
  assert.match(out, /^hh\n/)
  assert.match(out, /^nameserver 9\.9\.9\.9$/m)
  assert.match(out, /^10\.1\.2\.3\s+db$/m)
})

test('ten containers at once make no mount on the host', { skip }, async () => {
  const mounts = (): number =>
    readFileSync('/proc/self/mountinfo', 'utf8').split(`${ctrd().root}/`).length
  const before = mounts()
  const names = Array.from({ length: 10 }, (_, index) => `many${index}`)
  await Promise.all(
    names.map((name) => ctrd().ok(['run', '-d', '--name', name, 'busybox', 'sleep', '300'])),
  )
  assert.equal(mounts(), before)
  await Promise.all(names.map((name) => ctrd().ok(['rm', '-f', name])))
})

test('--no-pivot moves the root: inside nothing tells the difference', { skip }, async () => {
  const look =
    'ls -a /; ls -a /proc/1/root/; awk \'$5 == "/" { print $9 }\' /proc/1/mountinfo; readlink /proc/1/cwd'
  const usual = await inBusybox(ctrd(), look)
  for (const options of [{ args: ['--no-pivot'] }, { env: { DOCKER_RAMDISK: 'yes' } }]) {
    await using daemon = await startDaemon({ bridge: false, ...options })
    assert.match(await daemon.ok(['run', '--explain', 'busybox', 'true']), / move_root\(/)
    assert.equal(await inBusybox(daemon, look), usual)
    assert.equal(
      (await daemon.ctr(['run', '--rm', 'busybox', 'mount', '-t', 'proc', 'p', '/tmp'])).code,
      1,
    )
    await daemon.ok(['run', '-d', '--name', 'cc', 'busybox', 'sleep', '300'])
    assert.equal(await daemon.ok(['exec', 'cc', 'sh', '-c', look]), usual)
  }
})

test('/proc is complete and of the container itself', { skip }, async () => {
  const script = `ls -d /proc/1/cmdline /proc/1/cwd /proc/1/environ /proc/1/exe /proc/1/fd /proc/1/maps /proc/1/mem \
    /proc/1/root /proc/1/stat /proc/1/statm /proc/1/status >/dev/null || exit 1
    readlink /proc/1/root; readlink /proc/1/cwd; readlink /proc/1/exe`
  assert.equal(await inBusybox(ctrd(), script), '/\n/\n/bin/busybox')
})

test('an image that lies about its root cannot make files on the host', { skip }, async () => {
  assert.ok(!existsSync('/evil'))
  await ctrd().ok(['run', '--name', 'link', 'busybox', 'ln', '-s', '/../../../evil', '/link'])
  await ctrd().ok(['commit', 'link', 'linked'])
  const out = await ctrd().ok(['run', '--rm', '-w', '/link/dir', 'linked', 'pwd'])
  assert.match(out, /^\/(evil|link)\/dir$/)
  assert.ok(!existsSync('/evil'))
  await ctrd().ok(['rm', 'link'])
  await ctrd().ok(['rmi', 'linked'])
})
