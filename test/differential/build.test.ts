import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { requires, tarArchive } from '@ctr/testkit'
import { BUILD_CASES, type BuildCase } from './build-cases.ts'
import { Lane, reasonNoReference, reference } from './lane.ts'
import { normalise } from './normalise.ts'

/** The same Dockerfiles by dockerd's classic builder and by ours. */
const skip = requires({ root: true, commands: ['docker', 'unshare', 'ip'] }) || reasonNoReference()

describe('a build', () => {
  const lanes: Lane[] = []

  before(async () => {
    if (skip !== false) return
    lanes.push(
      ...(await Lane.startAll([
        ['dockerd', 'docker'],
        ['ctrd', 'docker'],
      ])),
    )
  })

  after(async () => {
    await Promise.all(lanes.map((lane) => lane[Symbol.asyncDispose]()))
  })

  for (const [index, each] of BUILD_CASES.entries()) {
    test(each.name, { skip }, async () => {
      const [expected, actual] = await Promise.all(
        lanes.map(async (lane) => {
          const first = await built(lane, each, index)
          // The second time it comes from the cache, or fails again.
          return { first, second: await built(lane, each, index) }
        }),
      )
      assert.deepEqual(actual, expected)
    })
  }
})

async function built(lane: Lane, { dockerfile, files = [], query }: BuildCase, index: number) {
  const name = `case${index}:latest`
  const parameters = new URLSearchParams({ rm: '1', t: name, networkmode: 'none', ...query })
  const context = tarArchive(
    [{ path: 'Dockerfile', content: dockerfile }, ...files].map((file) =>
      file.content === 'ARCHIVE' ? { ...file, content: archive() } : file,
    ),
  )
  const path = `/v${reference.apiVersion}/build?${parameters.toString()}`
  const headers = { 'content-type': 'application/x-tar' }
  const { status, text } = await lane.daemon.request('POST', path, context, { headers })
  // dockerd has 500 for some of what is the client's fault.
  const answer = status >= 400 ? { isRefused: true, text } : { text: output(text) }
  const inspect = await lane.daemon.request('GET', `/v${reference.apiVersion}/images/${name}/json`)
  const history = await lane.daemon.request(
    'GET',
    `/v${reference.apiVersion}/images/${name}/history`,
  )
  const steps =
    history.status === 200 ? (history.json() as { CreatedBy: string; Size: number }[]) : []
  return {
    ...answer,
    text: normalise(answer.text, lane.texts).trim(),
    config: inspect.status === 200 ? configOf(inspect.json()) : undefined,
    history: steps.map(({ CreatedBy, Size }) => [normalise(CreatedBy, lane.texts), Size]),
  }
}

/** An archive to be unpacked: with its root, a directory, a link and owners. */
function archive(): Buffer {
  return tarArchive([
    { path: './', type: 'directory', mode: 0o700 },
    { path: 'in/', type: 'directory', uid: 3, gid: 4, mode: 0o711 },
    { path: 'in/x', content: 'x', uid: 5, gid: 6, mode: 0o640 },
    { path: 'in/y', type: 'hardlink', target: 'in/x', uid: 5, gid: 6, mode: 0o640 },
    { path: 'z', type: 'symlink', target: '/etc/passwd' },
  ])
}

/** What a client prints. dockerd makes a container for each step, even for those that run nothing. */
function output(text: string): string {
  const parts = text
    .trim()
    .split(/\r?\n/)
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  const lines = parts.map((part) =>
    'stream' in part
      ? String(part['stream']).replaceAll('\u001b[91m', '').replaceAll('\u001b[0m', '')
      : `${JSON.stringify(part)}\n`,
  )
  return lines
    .join('')
    .replace(/^ ---> Running in .*\n/gm, '')
    .replace(/^Removing intermediate container .*\n/gm, '')
}

const FIELDS = [
  'User',
  'ExposedPorts',
  'Env',
  'Entrypoint',
  'Cmd',
  'Volumes',
  'WorkingDir',
  'Labels',
  'StopSignal',
  'Healthcheck',
  'Shell',
  'OnBuild',
]

function configOf(document: unknown): Record<string, unknown> {
  const { Config, Author, Parent } = document as {
    Config: Record<string, unknown>
    Author: string
    Parent: string
  }
  // Nothing is null, or empty, or not there.
  const set = FIELDS.map((field) => [field, Config[field]] as const).filter(
    ([, value]) => value != null && value !== '' && JSON.stringify(value) !== '{}',
  )
  return { ...Object.fromEntries(set), Author, hasParent: Parent !== '' }
}
