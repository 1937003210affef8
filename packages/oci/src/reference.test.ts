import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  canonicalReference,
  familiarReference,
  parseReference,
  withDefaultTag,
} from './reference.ts'

const HEX = 'a'.repeat(64)

const VALID: readonly [text: string, canonical: string, familiar: string][] = [
  ['busybox', 'docker.io/library/busybox:latest', 'busybox:latest'],
  ['busybox:1.36', 'docker.io/library/busybox:1.36', 'busybox:1.36'],
  ['docker.io/busybox', 'docker.io/library/busybox:latest', 'busybox:latest'],
  ['index.docker.io/library/busybox', 'docker.io/library/busybox:latest', 'busybox:latest'],
  ['user/app', 'docker.io/user/app:latest', 'user/app:latest'],
  ['library/a/b', 'docker.io/library/a/b:latest', 'library/a/b:latest'],
  ['localhost/app', 'localhost/app:latest', 'localhost/app:latest'],
  ['localhost:5000/a/b:t', 'localhost:5000/a/b:t', 'localhost:5000/a/b:t'],
  ['example.com/a', 'example.com/a:latest', 'example.com/a:latest'],
  ['[::1]:5000/a', '[::1]:5000/a:latest', '[::1]:5000/a:latest'],
  ['UPPER/app', 'UPPER/app:latest', 'UPPER/app:latest'],
  [`a@sha256:${HEX}`, `docker.io/library/a@sha256:${HEX}`, `a@sha256:${HEX}`],
  [`h:1/a:t@sha256:${HEX}`, `h:1/a:t@sha256:${HEX}`, `h:1/a:t@sha256:${HEX}`],
  ['a__b-c/e---f.g', 'docker.io/a__b-c/e---f.g:latest', 'a__b-c/e---f.g:latest'],
]

for (const [text, canonical, familiar] of VALID) {
  test(`${text} is ${canonical}`, () => {
    const reference = withDefaultTag(parseReference(text))
    assert.equal(canonicalReference(reference), canonical)
    assert.equal(familiarReference(reference), familiar)
  })
}

const FORMAT = 'invalid reference format'
const INVALID: readonly [text: string, message: string][] = [
  ['', FORMAT],
  [':tag', FORMAT],
  ['a:', FORMAT],
  ['a:-t', FORMAT],
  [`a:${'t'.repeat(129)}`, FORMAT],
  ['a b', FORMAT],
  ['a//b', FORMAT],
  ['/a', FORMAT],
  ['a/', FORMAT],
  ['-a', FORMAT],
  ['a..b', FORMAT],
  ['../etc', FORMAT],
  ['a@sha256:abc', FORMAT],
  ['a@', FORMAT],
  [`a@md5:${HEX}`, FORMAT],
  ['h:port/a', FORMAT],
  ['a\n', FORMAT],
  ['Busybox', 'invalid reference format: repository name (library/Busybox) must be lowercase'],
  [HEX, `invalid repository name (${HEX}), cannot specify 64-byte hexadecimal strings`],
  [`h.io/${'a/'.repeat(130)}a`, 'repository name must not be more than 255 characters'],
]

for (const [text, message] of INVALID) {
  test(`${JSON.stringify(text.slice(0, 40))} is refused`, () => {
    assert.throws(() => parseReference(text), { name: 'ReferenceError', message })
  })
}
