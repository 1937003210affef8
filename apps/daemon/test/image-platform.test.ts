import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { requires, startDaemon, type TestDaemon } from '@ctr/testkit'

/** `platform` of dockerd 28: the image is of one platform, and what asks for another one is told so. */
const skip = requires({ root: true })

let daemon: TestDaemon
before(async () => {
  if (skip === false) daemon = await startDaemon({ bridge: false })
})
after(async () => {
  await daemon?.[Symbol.asyncDispose]()
})

const OTHER = encodeURIComponent('{"os":"linux","architecture":"s390x"}')
const OWN = encodeURIComponent(
  JSON.stringify({ os: 'linux', architecture: process.arch === 'x64' ? 'amd64' : process.arch }),
)
const MISMATCH =
  /^image with reference busybox(:latest)? was found but its platform \(linux\/\w+\) does not match the specified platform \(linux\/s390x\)$/
const CALLS = [
  ['GET', '/v1.49/images/busybox/json?platform=', MISMATCH],
  ['GET', '/v1.48/images/busybox/history?platform=', MISMATCH],
  ['DELETE', '/v1.50/images/busybox?platforms=', MISMATCH],
  ['POST', '/v1.46/images/busybox/push?tag=latest&platform=', MISMATCH],
  [
    'GET',
    '/v1.48/images/busybox/get?platform=',
    /^no suitable export target found for platform linux\/s390x$/,
  ],
  [
    'GET',
    '/v1.48/images/get?names=busybox&platform=',
    /^no suitable export target found for platform linux\/s390x$/,
  ],
] as const

for (const [method, path, message] of CALLS) {
  test(`${method} ${path}`, { skip }, async () => {
    const other = await daemon.request(method, `${path}${OTHER}`)
    assert.equal(other.status, 404)
    assert.match((other.json() as { message: string }).message, message)
    const broken = await daemon.request(method, `${path}x`)
    assert.deepEqual(
      [broken.status, broken.json()],
      [
        400,
        {
          message: "failed to parse platform: invalid character 'x' looking for beginning of value",
        },
      ],
    )
    const half = await daemon.request(method, `${path}${encodeURIComponent('{"os":"linux"}')}`)
    assert.match(half.text, /both OS and Architecture must be provided/)
  })
}

test('the own platform, and older versions that do not know of it', { skip }, async () => {
  for (const path of [
    `/v1.49/images/busybox/json?platform=${OWN}`,
    `/v1.48/images/busybox/json?platform=${OTHER}`,
    `/v1.47/images/busybox/history?platform=${OTHER}`,
  ]) {
    assert.equal((await daemon.request('GET', path)).status, 200, path)
  }
  const both = await daemon.request('GET', `/v1.49/images/busybox/json?manifests=1&platform=${OWN}`)
  assert.match(both.text, /conflicting options: manifests and platform options cannot both be set/)
})
