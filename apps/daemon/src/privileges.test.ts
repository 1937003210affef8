import assert from 'node:assert/strict'
import { test } from 'node:test'
import { missingPrivileges } from './privileges.ts'

const status = (mask: string): string => `Name:\tnode\nCapPrm:\t0\nCapEff:\t${mask}\nCapBnd:\t0\n`

test('root with all capabilities lacks nothing', () => {
  assert.equal(missingPrivileges(0, status('000001ffffffffff')), undefined)
})

test('another user is told to become root', () => {
  assert.match(missingPrivileges(65534, status('0000000000000000')) ?? '', /^it needs root/)
})

test('root of an unprivileged container is told what is missing, and what to do', () => {
  assert.equal(
    missingPrivileges(0, status('00000000a80425fb')),
    'it needs CAP_NET_ADMIN and CAP_SYS_ADMIN, which this root does not have: in a container, start that one with --privileged',
  )
  assert.match(missingPrivileges(0, status('00000000a80435fb')) ?? '', /needs CAP_SYS_ADMIN, which/)
})
