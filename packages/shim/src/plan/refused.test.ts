import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RuntimeSpec } from '@ctr/oci'
import { changed, v2 } from './plan-fixture.ts'
import { compileStart } from './start.ts'

const REFUSED: readonly [what: string, change: (own: RuntimeSpec) => void, message: RegExp][] = [
  ['no process', (own) => (own.process = undefined), /no process/],
  ['no command', (own) => own.process && (own.process.args = []), /no command specified/],
  ['a relative directory', (own) => own.process && (own.process.cwd = 'x'), /absolute path/],
  [
    'a mount on the root',
    (own) => own.mounts?.push({ destination: '/.', type: 'tmpfs' }),
    /can't be '\/'/,
  ],
  ['a relative mount', (own) => own.mounts?.push({ destination: 'x', type: 'tmpfs' }), /absolute/],
  [
    'a mount in /proc',
    (own) => own.mounts?.push({ destination: '/proc/../proc/sys', type: 'bind', source: '/x' }),
    /inside \/proc/,
  ],
  [
    'a fake /proc',
    (own) => own.mounts?.push({ destination: '/proc', type: 'tmpfs' }),
    /inside \/proc/,
  ],
  ['one namespace twice', (own) => own.linux?.namespaces?.push({ type: 'pid' }), /listed twice/],
  [
    'an unknown namespace',
    (own) => own.linux?.namespaces?.push({ type: 'x' as 'pid' }),
    /unknown namespace/,
  ],
  [
    'a user namespace without root',
    (own) => own.linux?.namespaces?.push({ type: 'user' }),
    /do not map root/,
  ],
  [
    'an unknown limit',
    (own) => own.process && (own.process.rlimits = [{ type: 'RLIMIT_X', soft: 1, hard: 1 }]),
    /invalid ulimit type/,
  ],
  [
    'an OOM score beyond its range',
    (own) => own.process && (own.process.oomScoreAdj = 1001),
    /\[-1000, 1000\]/,
  ],
  [
    'a missing controller',
    (own) =>
      own.linux && (own.linux.resources = { hugepageLimits: [{ pageSize: '2MB', limit: 0 }] }),
    /no hugetlb cgroup controller/,
  ],
  [
    'AppArmor where there is none',
    (own) => own.process && (own.process.apparmorProfile = 'p'),
    /AppArmor is not enabled/,
  ],
  [
    'an SELinux label where there is none',
    (own) => own.process && (own.process.selinuxLabel = 'u:r:t'),
    /selinux is disabled or not supported/,
  ],
]
for (const [what, change, message] of REFUSED) {
  test(`${what} is refused`, () => {
    assert.throws(() => compileStart(changed(change), v2), { code: 'INVALID_ARGUMENT', message })
  })
}
