import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { parseChallenges } from './challenge.ts'
import { RegistryClient } from './client.ts'

interface Host extends AsyncDisposable {
  readonly base: string
}

async function serve(listener: RequestListener): Promise<Host> {
  const server = createServer({ maxHeaderSize: 1 << 20 }, listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    base: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

function connect({ base }: Host): Promise<RegistryClient> {
  return RegistryClient.connect({
    endpoints: [{ base, verifiesTls: true }],
    path: 'app',
    actions: 'pull',
    auth: { username: 'me', password: 'pw' },
    signal: undefined,
  })
}

test('a host that the registry redirects to is not told the password, whatever it asks for', async () => {
  const seen: string[] = []
  await using elsewhere: Host = await serve(({ url, headers }, response) => {
    seen.push(`${url} ${headers.authorization}`)
    response.setHeader('WWW-Authenticate', `Bearer realm="${elsewhere.base}/token"`)
    response.writeHead(url === '/blob' ? 401 : 200).end('{"token":"T"}')
  })
  await using registry = await serve(({ url }, response) => {
    if (url === '/v2/') return void response.end('{}')
    response.writeHead(307, { Location: `${elsewhere.base}/blob` }).end()
  })
  const client = await connect(registry)
  await assert.rejects(client.blob(`sha256:${'0'.repeat(64)}`, 0), { status: 401 })
  assert.deepEqual(seen, ['/blob undefined'])
})

test('a redirect to what is no URL, or a file, is refused', async () => {
  for (const location of ['http://[', 'file:///etc/passwd']) {
    await using registry = await serve(({ url }, response) => {
      if (url === '/v2/') return void response.end('{}')
      response.writeHead(307, { Location: location }).end()
    })
    const client = await connect(registry)
    await assert.rejects(client.manifest('latest'), {
      code: 'UPSTREAM',
      message: /^unsupported redirect to /,
    })
  }
})

test('an answer without an end, of which only the status matters, ends with its connection', async () => {
  const closed = Promise.withResolvers<void>()
  await using registry = await serve((_request, response) => {
    const chunk = Buffer.alloc(64 << 10)
    const go = (): void => {
      while (response.write(chunk));
    }
    response.on('drain', go)
    response.on('close', () => closed.resolve())
    go()
  })
  await connect(registry)
  await closed.promise
})

/** What took minutes, in which the engine answered nobody. */
test('headers made for long thoughts are read at once', async () => {
  await using registry = await serve(({ url }, response) => {
    if (url !== '/v2/') response.setHeader('Link', '<'.repeat(6000) + '?'.repeat(6000))
    response.end('{"tags":["a"]}')
  })
  const client = await connect(registry)
  assert.deepEqual(await client.tags(), ['a'])
  assert.deepEqual(parseChallenges(`Bearer${' '.repeat(1_000_000)}"`).length, 1)
})

test('a place for an upload that is no URL, or a file, is refused', async () => {
  for (const location of ['http://[', 'file:///etc/passwd', 'ftp://h/x', 'data:,x']) {
    await using registry = await serve(({ url }, response) => {
      if (url === '/v2/') return void response.end('{}')
      response.writeHead(202, { Location: location }).end()
    })
    const client = await connect(registry)
    await assert.rejects(
      client.putBlob(`sha256:${'0'.repeat(64)}`, 1, () => Readable.from([Buffer.from('x')])),
      { code: 'UPSTREAM', message: /^unsupported upload location / },
    )
  }
})

test('a token that no header can hold is refused', async () => {
  await using registry: Host = await serve(({ url }, response) => {
    if (url === '/v2/') {
      response.setHeader('WWW-Authenticate', `Bearer realm="${registry.base}/token"`)
      return void response.writeHead(401).end()
    }
    response.end(JSON.stringify({ token: 'T\r\nX-Evil: 1' }))
  })
  await assert.rejects(
    async () => {
      const client = await connect(registry)
      await client.manifest('latest')
    },
    { code: 'UPSTREAM' },
  )
})

test('redirects without an end, and ones that lead back, end; the password stays at home', async () => {
  const seen: (string | undefined)[] = []
  await using elsewhere: Host = await serve((_request, response) => {
    response.writeHead(307, { Location: `${registry.base}/v2/app/again` }).end()
  })
  await using registry: Host = await serve(({ url, headers }, response) => {
    if (url === '/v2/') {
      response.setHeader('WWW-Authenticate', 'Basic realm="x"')
      return void response.writeHead(401).end()
    }
    if (url === '/v2/app/again') seen.push(headers.authorization)
    response.writeHead(307, { Location: `${elsewhere.base}/x` }).end()
  })
  const client = await connect(registry)
  await assert.rejects(client.manifest('latest'), {
    code: 'UPSTREAM',
    message: /^stopped after 5 redirects/,
  })
  assert.deepEqual(new Set(seen), new Set([undefined]))
})
