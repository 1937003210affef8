import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isWithout } from './kernel-config.ts'

test('an option is off only where the configuration says so', () => {
  const option = 'CONFIG_X86_X32_ABI'
  assert.equal(isWithout('# a\n# CONFIG_X86_X32_ABI is not set\nCONFIG_B=y\n', option), true)
  assert.equal(isWithout('CONFIG_X86_X32_ABI=y\n', option), false)
  assert.equal(isWithout('# CONFIG_X86_X32_ABI_OLD is not set\n', option), false)
  assert.equal(isWithout('', option), false)
  assert.equal(isWithout(undefined, option), false)
})
