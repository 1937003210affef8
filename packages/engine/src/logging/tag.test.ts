import assert from 'node:assert/strict'
import { hostname } from 'node:os'
import { test } from 'node:test'
import { checkDefaultLog } from '../container/log-options.ts'
import { renderTag, type TagSubject } from './tag.ts'

const SUBJECT: TagSubject = {
  id: 'a'.repeat(64),
  name: 'web',
  imageId: `sha256:${'b'.repeat(64)}`,
  imageReference: 'busybox:1',
  path: 'sleep',
  args: ['9', '8'],
  createdAtNs: 1_136_214_245_123_456_789n,
  config: { Labels: { a: 'b' }, Env: ['X=1'] },
  hostConfig: { LogConfig: { Type: 'json-file', Config: { labels: 'a' } } },
}

// What dockerd 20.10 writes for the same templates.
const TAGS: readonly [template: string | undefined, tag: string][] = [
  [undefined, 'a'.repeat(12)],
  ['', 'a'.repeat(12)],
  ['{{.Command}}', 'sleep 9 8'],
  ['x/{{.Name}}/{{ .ImageName }}/{{.ImageID}}', 'x/web/busybox:1/sha256:bbbbb'],
  ['{{upper .Name}}', 'WEB'],
  ['{{.Name | printf "%s-x"}}', 'web-x'],
  ['{{if .ID}}x{{end}}', 'x'],
  ['{{.ContainerName}}', '/web'],
  ['{{.ContainerArgs}}', '[9 8]'],
  ['{{index .ContainerEnv 0}}', 'X=1'],
  ['{{.ContainerLabels}}{{with .ContainerLabels}}{{.a}}{{end}}', 'map[a:b]b'],
  ['{{.ContainerLabels.none}}', '<no value>'],
  ['{{range $k, $v := .ContainerLabels}}{{$k}}={{$v}};{{end}}', 'a=b;'],
  ['{{.ExtraAttributes nil}}', 'map[a:b]'],
  ['{{slice .ID 0 3}}{{len .Name}}', 'aaa3'],
  ['{{truncate .FullID 5}}|{{pad "a" 1 1}}|{{title .Name}}', 'aaaaa| a |Web'],
  ['{{join (split .ImageName ":") "-"}}', 'busybox-1'],
  ['{{.Hostname}}', hostname()],
]

for (const [template, tag] of TAGS) {
  test(`tag ${template ?? 'by default'}`, () => assert.equal(renderTag(template, SUBJECT), tag))
}

test('the methods are no part of the document', () => {
  const document = JSON.parse(renderTag('{{json .}}', SUBJECT)) as Record<string, unknown>
  assert.equal(document['ContainerImageName'], 'busybox:1')
  assert.equal(document['ID'], undefined)
})

test('a wrong tag is told in Docker’s words', () => {
  const messages = {
    '{{nope}}': 'template: log-tag:1: function "nope" not defined',
    '{{': 'template: log-tag:1: unclosed action',
    '{{.Nope}}':
      'template: log-tag:1:2: executing "log-tag" at <.Nope>: can\'t evaluate field Nope in type *logger.Info',
    '{{"a" .Name}}':
      'template: log-tag:1:2: executing "log-tag" at <"a">: can\'t give argument to non-function "a"',
  }
  for (const [template, reason] of Object.entries(messages)) {
    const message = `failed to initialize logging driver: ${reason}`
    assert.throws(() => renderTag(template, SUBJECT), { code: 'INVALID_ARGUMENT', message })
  }
})

test('a daemon does not begin with a tag that no container could have', () => {
  const tag = '{{.Nope}}'
  const check = (): void => checkDefaultLog({ driver: 'json-file', options: { tag } })
  assert.throws(check, /can't evaluate field Nope/)
})
