import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HostConfig } from '@ctr/api'
import { readHostFacts } from '@ctr/linux'
import { DEFAULT_ENGINE_CONFIG } from '../config.ts'
import { withHostDefaults } from './host-defaults.ts'

test('the default log driver has the default options; others have only their own', () => {
  const defaultLog = { driver: 'local', options: { 'max-size': '1m', 'max-file': '2' } }
  const facts = readHostFacts()
  const logOf = (LogConfig?: HostConfig['LogConfig']): HostConfig['LogConfig'] =>
    withHostDefaults(
      LogConfig === undefined ? {} : { LogConfig },
      { ...DEFAULT_ENGINE_CONFIG, defaultLog },
      facts,
    ).LogConfig
  assert.deepEqual(logOf(), { Type: 'local', Config: defaultLog.options })
  assert.deepEqual(logOf({ Type: '', Config: { 'max-size': '5m' } }), {
    Type: 'local',
    Config: { 'max-size': '5m', 'max-file': '2' },
  })
  assert.deepEqual(logOf({ Type: 'local' }), { Type: 'local', Config: defaultLog.options })
  assert.deepEqual(logOf({ Type: 'json-file' }), { Type: 'json-file', Config: {} })
})
