import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseImageConfig } from './config.ts'

const DIGEST = `sha256:${'a'.repeat(64)}`

const parse = (document: unknown): unknown =>
  parseImageConfig(Buffer.from(JSON.stringify(document)))

describe('parseImageConfig', () => {
  it('keeps what it does not know, and takes null as absent', () => {
    assert.deepEqual(
      parse({ docker_version: '20', config: { Cmd: null, X: 1 }, rootfs: { diff_ids: [DIGEST] } }),
      {
        docker_version: '20',
        architecture: '',
        os: 'linux',
        config: { X: 1 },
        rootfs: { type: 'layers', diff_ids: [DIGEST] },
      },
    )
  })

  for (const [document, problem] of [
    ['[]', /it is no object/],
    ['{', /invalid image config/],
    ['{"rootfs":5}', /diff_ids must be a list/],
    ['{"rootfs":{"diff_ids":["sha256:x"]}}', /diff_ids must be a list/],
    [`{"rootfs":{"diff_ids":[${Array(126).fill(`"${DIGEST}"`).join()}]}}`, /max depth exceeded/],
    ['{"rootfs":{},"os":"windows"}', /cannot load windows image on linux/],
    ['{"rootfs":{},"config":[]}', /config must be an object/],
    ['{"rootfs":{},"config":{"Env":"A=1"}}', /config\.Env must be a list of strings/],
    ['{"rootfs":{},"config":{"Env":[1]}}', /config\.Env must be a list of strings/],
    ['{"rootfs":{},"config":{"Cmd":{}}}', /config\.Cmd/],
    ['{"rootfs":{},"config":{"Labels":{"a":1}}}', /config\.Labels/],
    ['{"rootfs":{},"config":{"User":0}}', /config\.User must be a string/],
    ['{"rootfs":{},"config":{"Healthcheck":{"Interval":"5s"}}}', /Healthcheck\.Interval/],
    ['{"rootfs":{},"history":[1]}', /history must be a list of objects/],
    ['{"rootfs":{},"history":[{"empty_layer":"no"}]}', /history\.empty_layer/],
  ] as const) {
    it(`refuses ${document.slice(0, 60)}`, () => {
      assert.throws(() => parseImageConfig(Buffer.from(document)), {
        code: 'INVALID_ARGUMENT',
        message: problem,
      })
    })
  }
})
