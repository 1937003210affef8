import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  choosePlatform,
  hostArchitecture,
  parseIndex,
  parseManifest,
  parsePlatform,
} from './manifest.ts'

const digest = (char: string): string => `sha256:${char.repeat(64)}`
const index = parseIndex(
  Buffer.from(
    JSON.stringify({
      manifests: [
        {
          digest: digest('0'),
          size: 1,
          annotations: { 'vnd.docker.reference.type': 'attestation-manifest' },
          platform: { os: 'linux', architecture: 'amd64' },
        },
        {
          digest: digest('1'),
          size: 1,
          platform: { os: 'linux', architecture: 'arm', variant: 'v6' },
        },
        {
          digest: digest('2'),
          size: 1,
          platform: { os: 'linux', architecture: 'arm', variant: 'v7' },
        },
        {
          digest: digest('3'),
          size: 1,
          platform: { os: 'linux', architecture: hostArchitecture() },
        },
      ],
    }),
  ),
)

describe('choosePlatform', () => {
  for (const [platform, expected] of [
    [undefined, '3'],
    ['linux/arm', '1'],
    ['linux/arm/v7', '2'],
    ['arm/', undefined],
    ['linux/s390x', undefined],
    ['windows/amd64', undefined],
  ] as const) {
    it(`for ${platform ?? 'this machine'} takes ${expected ?? 'nothing'}`, () => {
      if (expected === undefined) assert.throws(() => choosePlatform(index, platform))
      else assert.equal(choosePlatform(index, platform).digest, digest(expected))
    })
  }
})

describe('parsePlatform', () => {
  it('takes an operating system or an architecture alone', () => {
    assert.deepEqual(parsePlatform('linux'), { os: 'linux', architecture: hostArchitecture() })
    assert.deepEqual(parsePlatform('ARM64'), { os: 'linux', architecture: 'arm64' })
    assert.throws(() => parsePlatform('a/b/c/d'), { code: 'INVALID_ARGUMENT' })
    assert.throws(() => parsePlatform(''), { code: 'INVALID_ARGUMENT' })
    assert.throws(() => parsePlatform('foobar'), { code: 'INVALID_ARGUMENT' })
    assert.equal(parsePlatform('windows').os, 'windows')
  })
})

describe('parseManifest', () => {
  for (const text of [
    '[]',
    '{}',
    '{"layers":[],"config":{}}',
    '{"layers":{},"config":{"digest":"x","size":1}}',
    `{"layers":[{"digest":"${digest('a')}","size":-1}],"config":{"digest":"${digest('a')}","size":1}}`,
    `{"layers":[],"config":{"digest":"sha512:${'a'.repeat(64)}","size":1}}`,
  ]) {
    it(`refuses ${text.slice(0, 60)}`, () => {
      assert.throws(() => parseManifest(Buffer.from(text)), { code: 'INVALID_ARGUMENT' })
    })
  }
})
