import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { freePort } from './free-port.ts'
import { cleanEnvironment } from './run.ts'
import { waitFor } from './wait-for.ts'

export interface RegistryOptions {
  /** A line of htpasswd(1) with a bcrypt hash; absent: no authentication. */
  readonly htpasswd?: string
}

export interface TestRegistry extends AsyncDisposable {
  /** `127.0.0.1:port`, to be put before a repository's name. */
  readonly address: string
}

/**
 * A real registry (Debian's docker-registry) on a free loopback port, with its storage in a directory of its own; or the
 * one that `CTR_TEST_REGISTRY` names (docker-compose.test.yml), which tests share: use repository names of your own.
 */
export async function startRegistry(options: RegistryOptions = {}): Promise<TestRegistry> {
  const provided = process.env['CTR_TEST_REGISTRY']
  if (provided !== undefined && options.htpasswd === undefined) {
    return { address: provided, [Symbol.asyncDispose]: () => Promise.resolve() }
  }
  const root = mkdtempSync('/tmp/ctr-reg-')
  const address = `127.0.0.1:${await freePort()}`
  const lines = [
    'version: 0.1',
    'log: {level: error}',
    'storage:',
    `  filesystem: {rootdirectory: ${root}/storage}`,
    '  delete: {enabled: true}',
    `http: {addr: '${address}'}`,
  ]
  if (options.htpasswd !== undefined) {
    writeFileSync(`${root}/htpasswd`, `${options.htpasswd}\n`)
    lines.push(`auth: {htpasswd: {realm: test, path: ${root}/htpasswd}}`)
  }
  writeFileSync(`${root}/config.yml`, lines.join('\n'))
  const child = spawn('docker-registry', ['serve', `${root}/config.yml`], {
    cwd: root,
    env: cleanEnvironment(),
    stdio: 'ignore',
  })
  const dispose = async (): Promise<void> => {
    await endChild(child)
    rmSync(root, { recursive: true, force: true })
  }
  try {
    await waitFor('the registry', async () => {
      if (child.exitCode !== null) throw new Error(`docker-registry ended with ${child.exitCode}`)
      const response = await fetch(`http://${address}/v2/`).catch(() => undefined)
      return response !== undefined
    })
  } catch (error) {
    await dispose()
    throw error
  }
  return { address, [Symbol.asyncDispose]: dispose }
}

async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('close', resolve))
  child.kill('SIGKILL')
  await ended
}
