// needs: root, busybox-static, SELinux with a policy in which `CTR_TEST_SELINUX_LABEL` may be entered (testdata/selinux.conf)
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { message, TestBundle } from './bundle.ts'

const isRoot = process.getuid?.() === 0
const isEnabled = existsSync('/sys/fs/selinux/enforce')
const current = isEnabled
  ? readFileSync('/proc/self/attr/current', 'utf8').replace(/[\0\n]*$/, '')
  : ''
const label = process.env['CTR_TEST_SELINUX_LABEL'] ?? current

test('process and mounts have the labels of the config', {
  skip: isRoot && isEnabled ? false : 'needs root and SELinux',
}, async () => {
  using bundle = new TestBundle()
  const { linux } = JSON.parse(readFileSync(`${bundle.dir}/config.json`, 'utf8')) as {
    linux: object
  }
  const args = [
    'sh',
    '-c',
    'cat /proc/self/attr/current; echo; grep -E " /dev(/shm|/pts)? " /proc/mounts',
  ]
  // With no_new_privs the kernel enters bounded domains only (EPERM): selinux_bprm_creds_for_exec, check_nnp_nosuid.
  const process = { args, selinuxLabel: label, noNewPrivileges: false }
  bundle.configure({ linux: { ...linux, mountLabel: label } }, process)
  const { code, stdout, stderr } = await bundle.run('run', bundle.id('a'))
  assert.equal(code, 0, stderr)
  const [own = '', ...mounts] = stdout.replaceAll('\0', '').trim().split('\n')
  assert.equal(own, label)
  assert.equal(mounts.length, 3, stdout)
  for (const mount of mounts) assert.ok(mount.includes(`context=${label}`), mount)
})

test('a label where SELinux is off is refused', {
  skip: isRoot && !isEnabled ? false : 'needs root and a kernel without SELinux',
}, async () => {
  using bundle = new TestBundle()
  bundle.configure({}, { selinuxLabel: 'u:r:t' })
  const result = await bundle.run('run', bundle.id('a'))
  assert.equal(result.code, 1)
  assert.match(message(result), /selinux label is specified in config, but selinux is disabled/)
  assert.deepEqual(bundle.containers(), [])
})
