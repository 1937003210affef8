import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseProfile, DEFAULT_PROFILE, profileText } from './profile.ts'

test('a container has the profile that is asked for, else the default one', () => {
  const base = {
    hasAppArmor: true,
    asked: '',
    isPrivileged: false,
    isDefaultLoaded: (): boolean => true,
  }
  assert.equal(chooseProfile(base), DEFAULT_PROFILE)
  assert.equal(chooseProfile({ ...base, asked: 'mine' }), 'mine')
  assert.equal(chooseProfile({ ...base, asked: 'unconfined' }), 'unconfined')
  assert.equal(chooseProfile({ ...base, isPrivileged: true }), 'unconfined')
  assert.equal(chooseProfile({ ...base, isPrivileged: true, asked: 'mine' }), 'mine')
  assert.equal(chooseProfile({ ...base, isDefaultLoaded: () => false }), '')
  assert.equal(chooseProfile({ ...base, hasAppArmor: false, asked: 'mine' }), '')
})

test('the default profile includes what the host has, and lets the engine send signals', () => {
  const bare = profileText({ hasTunables: false, hasBase: false, own: 'unconfined' })
  assert.match(bare, /^@\{PROC\}=\/proc\/\n/)
  assert.doesNotMatch(bare, /#include/)
  const full = profileText({ hasTunables: true, hasBase: true, own: 'our engine' })
  assert.match(full, /^#include <tunables\/global>\n/)
  assert.match(full, /#include <abstractions\/base>/)
  assert.match(full, /signal \(receive\) peer="our engine",/)
  assert.match(full, /\n {2}deny mount,\n/)
})
