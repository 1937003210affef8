import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { freePort, requires, run, startRegistry, tarArchive, waitFor } from '@ctr/testkit'
import { useDaemon } from './daemon-fixture.ts'

// What a build takes from elsewhere.
const ctrd = useDaemon()

/** htpasswd(1) -B: `ann` with `secret`. */
const HTPASSWD = 'ann:$2y$05$FyGLPV3Qgup0AgBNGB/r2.AXQAbS7TS4Nk2bIOw2J4/KDYmgvoIfq'

test('a base image is pulled with the credentials of its registry', {
  skip: requires({ root: true, commands: ['docker-registry'] }),
}, async () => {
  await using registry = await startRegistry({ htpasswd: HTPASSWD })
  const image = `${registry.address}/base:1`
  const auth = { username: 'ann', password: 'secret', serveraddress: registry.address }
  await ctrd().ok(['tag', 'busybox', image])
  const pushed = await ctrd().request('POST', `/images/${registry.address}/base/push?tag=1`, '', {
    headers: { 'X-Registry-Auth': encoded(auth) },
  })
  assert.doesNotMatch(pushed.text, /error/)
  await ctrd().ok(['rmi', image])
  const context = tarArchive([{ path: 'Dockerfile', content: `FROM ${image}\nENV A=1\n` }])
  const build = async (headers: Readonly<Record<string, string>>): Promise<string> => {
    const type = { 'content-type': 'application/x-tar' }
    const answer = await ctrd().request('POST', '/build', context, {
      headers: { ...type, ...headers },
    })
    return answer.text
  }
  assert.match(await build({}), /no basic auth credentials|unauthorized|denied/)
  const config = encoded({ [registry.address]: auth })
  assert.match(await build({ 'X-Registry-Config': config }), /Successfully built/)
})

function encoded(document: object): string {
  return Buffer.from(JSON.stringify(document)).toString('base64url')
}

test('a context is a branch and a directory of a repository', {
  skip: requires({ root: true, commands: ['git'] }),
}, async () => {
  const root = join(ctrd().root, 'git')
  const work = join(root, 'app')
  mkdirSync(join(work, 'sub'), { recursive: true })
  writeFileSync(join(work, 'Dockerfile'), 'FROM busybox\nCOPY . /x\nRUN ls -A /x\n')
  writeFileSync(join(work, 'sub', 'Dockerfile'), 'FROM busybox\nENV IN=sub\n')
  const git = async (...args: string[]): Promise<void> => {
    const who = ['-c', 'user.name=n', '-c', 'user.email=e', '-c', 'init.defaultBranch=main']
    const { code, stderr } = await run(['git', ...who, ...args], { cwd: work })
    assert.equal(code, 0, stderr)
  }
  await git('init')
  await git('add', '.')
  await git('commit', '-m', 'first')
  await git('checkout', '-b', 'side')
  writeFileSync(join(work, 'only-here'), '')
  await git('add', '.')
  await git('commit', '-m', 'second')
  await git('checkout', 'main')
  const port = await freePort()
  const server = spawn(
    'git',
    [
      'daemon',
      '--export-all',
      '--reuseaddr',
      '--listen=127.0.0.1',
      `--port=${port}`,
      `--base-path=${root}`,
    ],
    { stdio: 'ignore' },
  )
  try {
    const address = `git://127.0.0.1:${port}/app`
    const build = async (fragment: string) =>
      await ctrd().ctr(['build', '--network', 'none', `${address}${fragment}`])
    const whole = await waitFor('git to listen', async () => {
      const result = await build('#side')
      return result.code === 0 ? result : undefined
    })
    assert.match(whole.stdout, /^only-here$/m)
    assert.doesNotMatch(whole.stdout, /^\.git$/m)
    assert.doesNotMatch((await build('')).stdout, /^only-here$/m)
    assert.match((await build('#main:sub')).stdout, /ENV IN=sub/)
    assert.match((await build('#main:nope')).stderr, /not a directory: nope/)
    assert.match((await build('#--upload-pack=x')).stderr, /invalid refspec/)
  } finally {
    server.kill()
    await once(server, 'exit')
  }
})
