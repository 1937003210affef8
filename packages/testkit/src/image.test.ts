import assert from 'node:assert/strict'
import { test } from 'node:test'
import { imageArchive, tarArchive } from './image.ts'
import { run } from './run.ts'

test('tar(1) reads an archive with every type of entry', async () => {
  const archive = tarArchive([
    { path: 'd/', type: 'directory', mode: 0o700 },
    { path: 'd/f', content: 'x'.repeat(600), uid: 5, gid: 6 },
    { path: 'd/l', type: 'symlink', target: 'f' },
    { path: 'd/p', type: 'fifo' },
  ])
  const { stdout, code } = await run(['tar', '--numeric-owner', '-tvf', '-'], { input: archive })
  assert.equal(code, 0)
  assert.match(
    stdout,
    /^drwx------ 0\/0 .* d\/\n-rw-r--r-- 5\/6 +600 .* d\/f\nl.* d\/l -> f\np.* d\/p\n$/,
  )
})

test('an image archive names its config and layers in manifest.json', async () => {
  const archive = imageArchive({
    reference: 'tiny:1',
    layers: [[{ path: 'hello', content: 'hi' }]],
    config: { Cmd: ['/hello'] },
  })
  const { stdout } = await run(['tar', '-xOf', '-', 'manifest.json'], { input: archive })
  const [manifest] = JSON.parse(stdout) as {
    Config: string
    RepoTags: string[]
    Layers: string[]
  }[]
  assert.deepEqual(manifest?.RepoTags, ['tiny:1'])
  const config = await run(['tar', '-xOf', '-', manifest?.Config ?? ''], { input: archive })
  assert.deepEqual((JSON.parse(config.stdout) as { config: unknown }).config, { Cmd: ['/hello'] })
})
