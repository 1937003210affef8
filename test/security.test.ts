import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { type RunResult, requires, run } from '@ctr/testkit'
import { checkResult, inBusybox, useDaemon } from './daemon-fixture.ts'

const skip = requires({ root: true, commands: ['gcc'] })
const ctrd = useDaemon({ bridge: false }, async ({ root }) => {
  mkdirSync(`${root}/programs`)
  for (const name of ['seccomp-probe', 'set-uid-probe']) {
    const program = `${root}/programs/${name}`
    const source = `${import.meta.dirname}/${name}.c`
    const { code, stderr } = await run(['gcc', '-static', '-O1', '-o', program, source])
    assert.equal(code, 0, stderr)
  }
  chmodSync(`${root}/programs/set-uid-probe`, 0o4755)
})

async function capabilities(...flags: string[]): Promise<bigint> {
  const out = await ctrd().ok([
    'run',
    '--rm',
    ...flags,
    'busybox',
    'grep',
    'CapEff',
    '/proc/1/status',
  ])
  return BigInt(`0x${out.split('\t')[1]}`)
}

test('the default capabilities are Docker’s fourteen, none inheritable or ambient', {
  skip,
}, async () => {
  const out = await ctrd().ok(['run', '--rm', 'busybox', 'grep', 'Cap', '/proc/1/status'])
  assert.equal(
    out,
    'CapInh:\t0000000000000000\nCapPrm:\t00000000a80425fb\nCapEff:\t00000000a80425fb\nCapBnd:\t00000000a80425fb\nCapAmb:\t0000000000000000',
  )
})

test('capabilities are dropped and added by name', { skip }, async () => {
  assert.equal(await capabilities('--cap-drop', 'ALL'), 0n)
  assert.equal(await capabilities('--cap-drop', 'ALL', '--cap-add', 'CHOWN'), 1n)
  assert.equal(await capabilities('--cap-drop', 'all', '--cap-add', 'cap_chown'), 1n)
  assert.equal(await capabilities('--cap-drop', 'CHOWN'), 0xa80425fan)
  assert.equal(await capabilities('-u', '1000'), 0n)
})

test('--privileged has every capability', { skip }, async () => {
  assert.ok((await capabilities('--privileged')) > 0x1ffffffffn)
})

test('an unknown capability is refused', { skip }, async () => {
  const result = await ctrd().ctr(['run', '--cap-add', 'BOGUS', 'busybox', 'true'])
  checkResult({ code: 125, stderr: /invalid CapAdd: unknown capability: "CAP_BOGUS"/ }, result)
  assert.equal(await ctrd().ok(['ps', '-aq']), '')
})

async function probe(...flags: string[]): Promise<Map<string, number>> {
  const out = await ctrd().ok([
    'run',
    '--rm',
    '-v',
    `${ctrd().root}/programs:/p:ro`,
    ...flags,
    'busybox',
    '/p/seccomp-probe',
  ])
  return new Map(
    out.split('\n').map((line) => [line.split(' ')[0] ?? '', Number(line.split(' ')[1])]),
  )
}

test('the default policy answers as Docker’s', { skip }, async () => {
  const EPERM = 1
  const ENOSYS = 38
  const answers = await probe()
  assert.deepEqual(Object.fromEntries(answers), {
    clone3: ENOSYS,
    io_uring_setup: EPERM,
    vsock: EPERM,
    unshare_user: EPERM,
    keyctl: EPERM,
    mount: EPERM,
    inet: 0,
  })
  const out = await ctrd().ok(['run', '--rm', 'busybox', 'grep', 'Seccomp:', '/proc/1/status'])
  assert.equal(out, 'Seccomp:\t2')
})

test('seccomp=unconfined has no policy', { skip }, async () => {
  const flags = ['--security-opt', 'seccomp=unconfined']
  const out = await ctrd().ok([
    'run',
    '--rm',
    ...flags,
    'busybox',
    'grep',
    'Seccomp:',
    '/proc/1/status',
  ])
  assert.equal(out, 'Seccomp:\t0')
  assert.notEqual((await probe(...flags)).get('clone3'), 38)
})

test('a policy of one’s own is obeyed', { skip }, async () => {
  const file = `${ctrd().root}/policy.json`
  writeFileSync(
    file,
    JSON.stringify({
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['chown', 'fchownat', 'lchown', 'fchown'], action: 'SCMP_ACT_ERRNO' }],
    }),
  )
  const result = await ctrd().ctr([
    'run',
    '--rm',
    '--security-opt',
    `seccomp=${file}`,
    'busybox',
    'chown',
    '1',
    '/tmp',
  ])
  checkResult({ code: 1, stderr: /Operation not permitted/ }, result)
})

test('a broken policy is refused', { skip }, async () => {
  const file = `${ctrd().root}/broken.json`
  writeFileSync(file, '{')
  const result = await ctrd().ctr([
    'run',
    '--rm',
    '--security-opt',
    `seccomp=${file}`,
    'busybox',
    'true',
  ])
  assert.equal(result.code, 125)
  assert.equal(await ctrd().ok(['ps', '-aq']), '')
})

test('an unknown security option is refused', { skip }, async () => {
  const result = await ctrd().ctr(['run', '--rm', '--security-opt', 'bogus=1', 'busybox', 'true'])
  checkResult({ code: 125, stderr: /invalid --security-opt/ }, result)
})

const noAppArmor = existsSync('/sys/kernel/security/apparmor') ? false : 'AppArmor is not there'

test('without AppArmor a profile means nothing, as for Docker', {
  skip: skip || (noAppArmor === false ? 'AppArmor is there' : false),
}, async () => {
  const confined = (profile: string): Promise<RunResult> =>
    ctrd().ctr(['run', '--rm', '--security-opt', `apparmor=${profile}`, 'busybox', 'true'])
  checkResult({ code: 0 }, await confined('unconfined'))
  checkResult({ code: 0 }, await confined('mine'))
})

test('a set-uid program gains nothing under no-new-privileges', { skip }, async () => {
  const args = ['-u', '1000', '-v', `${ctrd().root}/programs:/p:ro`, 'busybox', '/p/set-uid-probe']
  assert.equal(await ctrd().ok(['run', '--rm', ...args]), '0')
  assert.equal(
    await ctrd().ok(['run', '--rm', '--security-opt', 'no-new-privileges', ...args]),
    '1000',
  )
})

// nsinit's --security: capabilities of A3, and what fails with EPERM.
const PROFILES = [
  {
    name: 'high',
    mask: '0000000020000420',
    denied: ['chroot', 'chmod', 'chown', 'link', 'unlink'],
  },
  { name: 'medium', mask: '00000000a00005fb', denied: ['chroot'] },
  { name: 'low', mask: '00000000a00405fb', denied: [] },
]

const TRIES: Readonly<Record<string, string>> = {
  chmod: 'chmod 600 /tmp/x',
  chown: 'chown 1 /tmp/x',
  link: 'ln /tmp/x /tmp/y',
  unlink: 'rm /tmp/x',
  chroot: 'chroot / true',
}
const ALWAYS_DENIED = [
  'mount -t tmpfs t /mnt',
  'umount /proc',
  'unshare -u true',
  'unshare -U true',
  'hostname x',
]

for (const { name, mask, denied } of PROFILES) {
  test(`profile=${name} has its capabilities, limit of files and denied calls`, {
    skip,
  }, async () => {
    const profile = ['--security-opt', `profile=${name}`]
    const status = await inBusybox(ctrd(), 'grep CapBnd: /proc/1/status; ulimit -Hn', profile)
    assert.equal(status, `CapBnd:\t${mask}\n1024`)
    const tries = Object.entries(TRIES).map(
      ([call, command]) => `${command} 2>/dev/null && echo ${call}`,
    )
    const never = ALWAYS_DENIED.map((command) => `${command} 2>/dev/null && echo ${command}`)
    const all = ['touch /tmp/x; mkdir /mnt', ...tries, ...never, 'true'].join('\n')
    const expected = Object.keys(TRIES).filter((call) => !denied.includes(call))
    assert.equal(await inBusybox(ctrd(), all, profile), expected.join('\n'))
    // What is added does not open the filter, and an exec has the same.
    await ctrd().ok([
      'run',
      '-d',
      '--name',
      'cc',
      ...profile,
      '--cap-add',
      'SYS_ADMIN',
      'busybox',
      'sleep',
      '300',
    ])
    assert.equal(await ctrd().ok(['exec', 'cc', 'sh', '-c', all]), expected.join('\n'))
  })
}

test('an unknown profile is refused, and one for a privileged container', { skip }, async () => {
  for (const [flags, message] of [
    [
      ['--security-opt', 'profile=mine'],
      /unknown security profile "mine": must be high, medium, low/,
    ],
    [['--security-opt', 'profile=low', '--privileged'], /conflicting options/],
  ] as const) {
    const result = await ctrd().ctr(['run', '--rm', ...flags, 'busybox', 'true'])
    checkResult({ code: 125, stderr: message }, result)
  }
})

test('the socket is for root and one group', { skip }, () => {
  assert.equal((statSync(ctrd().socketPath).mode & 0o777).toString(8), '660')
})

test('other users can read nothing of the engine’s', { skip }, async () => {
  await ctrd().ok(['run', '--name', 'secret', '-e', 'PASSWORD=hunter2', 'busybox', 'true'])
  chmodSync(ctrd().root, 0o711)
  const nobody = 'setpriv --reuid=65534 --regid=65534 --clear-groups'
  const script = `find "$0" "$1" -type f | ${nobody} sh -c 'while read -r f; do [ -r "$f" ] && echo "$f"; done; true'`
  const { stdout } = await run(['sh', '-c', script, ctrd().dataRoot, ctrd().execRoot])
  assert.equal(stdout, '')
})
