import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export interface TestRegistry extends AsyncDisposable {
  /** `127.0.0.1:5xxxx`. */
  readonly host: string
}

export function hasRegistry(): boolean {
  try {
    execFileSync('docker-registry', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** Debian's docker-registry on a free loopback port, with its data in a directory of its own. */
export async function startRegistry(
  o: { user?: string; passwordHash?: string } = {},
): Promise<TestRegistry> {
  const root = mkdtempSync('/tmp/ctr-images-registry-')
  const port = await freePort()
  const isPrivate = o.user !== undefined
  writeFileSync(join(root, 'htpasswd'), `${o.user}:${o.passwordHash}\n`)
  const config = {
    version: '0.1',
    log: { level: 'error' },
    storage: { filesystem: { rootdirectory: join(root, 'data') } },
    http: { addr: `127.0.0.1:${port}` },
    ...(isPrivate ? { auth: { htpasswd: { realm: 'test', path: join(root, 'htpasswd') } } } : {}),
  }
  // JSON is YAML.
  writeFileSync(join(root, 'config.yml'), JSON.stringify(config))
  const child = spawn('docker-registry', ['serve', join(root, 'config.yml')], { stdio: 'ignore' })
  await waitUntilServing(port, child)
  return {
    host: `127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null) {
        child.kill('SIGKILL')
        await once(child, 'exit')
      }
      rmSync(root, { recursive: true, force: true })
    },
  }
}

export interface ProxyRules {
  /** Answer for a request instead of passing it on. */
  answer?: (request: http.IncomingMessage, response: http.ServerResponse) => boolean
  /** Break the connection after so many bytes of a blob. */
  cutBlobAfter?: (count: number) => number | undefined
}

/** A registry in front of another one, to see and to disturb what passes. */
export async function startProxy(
  upstream: string,
  rules: ProxyRules,
): Promise<TestRegistry & { readonly requests: string[]; blobBytes: number }> {
  const requests: string[] = []
  const state = { blobBytes: 0, blobs: 0 }
  const server = http.createServer((request, response) => {
    const { range = '' } = request.headers
    requests.push(`${request.method} ${request.url} ${range}`.trim())
    if (rules.answer?.(request, response) === true) return
    const [hostname, port] = upstream.split(':')
    // With the client's Host, so that upload locations lead back here.
    const { headers } = request
    const passed = http.request({
      hostname,
      port,
      method: request.method,
      path: request.url,
      headers,
    })
    passed.on('error', () => response.destroy())
    passed.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers)
      const isBlob = request.method === 'GET' && /\/blobs\//.test(request.url ?? '')
      if (isBlob) state.blobs += 1
      const limit = isBlob ? rules.cutBlobAfter?.(state.blobs) : undefined
      let sent = 0
      answer.on('data', (chunk: Buffer) => {
        const data = limit === undefined ? chunk : chunk.subarray(0, Math.max(0, limit - sent))
        sent += data.length
        if (isBlob) state.blobBytes += data.length
        response.write(data)
        if (limit !== undefined && sent >= limit) {
          answer.destroy()
          response.destroy()
        }
      })
      answer.on('end', () => response.end())
    })
    request.pipe(passed)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    host: `127.0.0.1:${port}`,
    requests,
    get blobBytes() {
      return state.blobBytes
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Below those that the kernel gives to clients, of which any could have it before it is used. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 32_768)
    const server = createServer().listen(port, '127.0.0.1')
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    )
    if (!isFree) continue
    server.close()
    await once(server, 'close')
    return port
  }
}

const READY_DEADLINE_MS = 60_000

async function waitUntilServing(port: number, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + READY_DEADLINE_MS
  for (;;) {
    const isUp = await fetch(`http://127.0.0.1:${port}/v2/`).then(
      () => true,
      () => false,
    )
    if (isUp) return
    if (child.exitCode !== null || Date.now() > deadline)
      throw new Error('docker-registry does not start')
    await sleep(20)
  }
}
