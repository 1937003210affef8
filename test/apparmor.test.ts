// needs: root, a kernel with AppArmor in use, apparmor_parser, busybox-static
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { requires } from '@ctr/testkit'
import { checkResult, field, pidOf, useDaemon } from './daemon-fixture.ts'

const PARAMETER = '/sys/module/apparmor/parameters/enabled'
const isEnabled = existsSync(PARAMETER) && readFileSync(PARAMETER, 'utf8').trim() === 'Y'
const skip =
  requires({ root: true, commands: ['apparmor_parser'] }) ||
  (isEnabled ? false : 'AppArmor is not enabled')
const ctrd = skip === false ? useDaemon({ bridge: false }) : () => assert.fail('skipped')

const CURRENT = ['cat', '/proc/self/attr/apparmor/current']

test('a container runs under the default profile, and others that are named', {
  skip,
}, async () => {
  assert.match(await ctrd().ok(['info', '--format', '{{.SecurityOptions}}']), /name=apparmor/)
  await ctrd().ok(['run', '-d', '--name', 'one', 'busybox', 'sleep', '300'])
  assert.equal(await field(ctrd(), 'one', '{{.AppArmorProfile}}'), 'ctr-default')
  const pid = await pidOf(ctrd(), 'one')
  assert.equal(
    readFileSync(`/proc/${pid}/attr/apparmor/current`, 'utf8').trim(),
    'ctr-default (enforce)',
  )
  assert.equal(await ctrd().ok(['exec', 'one', ...CURRENT]), 'ctr-default (enforce)')
  // The engine may still end it, and its processes see each other.
  assert.match(await ctrd().ok(['exec', 'one', 'ps']), /sleep 300/)
  await ctrd().ok(['stop', '-t', '0', 'one'])
  await ctrd().ok(['rm', 'one'])

  // What CAP_SYS_ADMIN alone would allow.
  const mount = ['--cap-add', 'SYS_ADMIN', 'busybox', 'mount', '-t', 'tmpfs', 'x', '/tmp']
  const denied = await ctrd().ctr(['run', '--rm', ...mount])
  assert.match(denied.stderr, /ermission denied/)
  const open = ['--security-opt', 'apparmor=unconfined']
  checkResult({ code: 0 }, await ctrd().ctr(['run', '--rm', ...open, ...mount]))
  assert.equal(
    await ctrd().ok(['run', '--rm', '--privileged', 'busybox', ...CURRENT]),
    'unconfined',
  )
  const odd = ['--security-opt', 'apparmor=nosuch', 'busybox', 'true']
  const result = await ctrd().ctr(['run', '--rm', ...odd])
  assert.notEqual(result.code, 0)
})
