import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { meansSocket } from './starting-daemon.ts'

const DEFAULT = '/var/run/ctr.sock'
const NODE = [
  '/clone/node_modules/.bin/node',
  '--v8-pool-size=1',
  '/clone/apps/daemon/dist/main.mjs',
]

describe('words that start a ctrd', () => {
  for (const [words, socket] of [
    [['/bin/sh', '/usr/local/bin/ctrd'], DEFAULT],
    [['/bin/sh', 'bin/ctrd', '-D'], DEFAULT],
    [['node', 'apps/daemon/src/main.ts'], DEFAULT],
    [NODE, DEFAULT],
    [NODE, '/run/ctr.sock'],
    [[...NODE, '-H', 'unix://'], DEFAULT],
    [[...NODE, '-H', 'unix:///a/s'], '/a/s'],
    [[...NODE, '-Hunix:///a/s'], '/a/s'],
    [[...NODE, '--host=unix:///a/s', '-H', 'unix:///b/s'], '/b/s'],
  ] as const) {
    it(`${words.join(' ')}: on ${socket}`, () => assert.ok(meansSocket(words, socket)))
  }

  for (const [words, socket] of [
    [NODE, '/a/s'],
    [[...NODE, '-H', 'unix:///a/s'], DEFAULT],
    [[...NODE, '-H', 'unix:///a/s'], '/s'],
    [['sh', '-c', 'ctrd & ctr ps'], DEFAULT],
    [['sh', '-c', 'sleep 9; exec /usr/local/bin/ctrd'], DEFAULT],
    [['dockerd'], DEFAULT],
    [[''], DEFAULT],
  ] as const) {
    it(`${words.join(' ')}: not on ${socket}`, () => assert.ok(!meansSocket(words, socket)))
  }
})
