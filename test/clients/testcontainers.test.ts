import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { requires } from '@ctr/testkit'
import { GenericContainer, Network, type StartedTestContainer, Wait } from 'testcontainers'
import { useDaemon } from '../daemon-fixture.ts'

/** testcontainers for Node. Its reaper is an image of a registry, so it is left out. */
const skip = requires({ root: true })
useDaemon({}, async ({ socketPath }) => {
  process.env['DOCKER_HOST'] = `unix://${socketPath}`
  process.env['TESTCONTAINERS_RYUK_DISABLED'] = 'true'
})
const serve = 'mkdir /www; echo page >/www/index.html; echo serving; exec httpd -f -h /www -p 80'

async function page(container: StartedTestContainer): Promise<string> {
  const answer = await fetch(`http://${container.getHost()}:${container.getMappedPort(80)}/`)
  return await answer.text()
}

test('testcontainers waits for a port and an answer of a web server', { skip }, async () => {
  const container = await new GenericContainer('busybox:latest')
    .withCommand(['sh', '-c', serve])
    .withExposedPorts(80)
    .withWaitStrategy(Wait.forAll([Wait.forListeningPorts(), Wait.forHttp('/', 80)]))
    .start()
  try {
    assert.equal(await page(container), 'page\n')
    const { exitCode, output } = await container.exec(['sh', '-c', 'echo inside; exit 3'])
    assert.deepEqual([exitCode, output], [3, 'inside\n'])
    await container.copyContentToContainer([{ content: 'changed\n', target: '/www/index.html' }])
    assert.equal(await page(container), 'changed\n')
  } finally {
    await container.stop()
  }
})

test('testcontainers builds the image of a Dockerfile', { skip }, async () => {
  const directory = mkdtempSync('/tmp/ctr-build-')
  try {
    const dockerfile = ['FROM busybox', 'COPY line /', 'CMD cat /line; exec sleep 1000']
    writeFileSync(join(directory, 'Dockerfile'), dockerfile.join('\n'))
    writeFileSync(join(directory, 'line'), 'built and serving\n')
    const image = await GenericContainer.fromDockerfile(directory).build('tcbuilt:1')
    const waits = Wait.forLogMessage('built and serving')
    const container = await image.withWaitStrategy(waits).start()
    await container.stop()
  } finally {
    rmSync(directory, { recursive: true })
  }
})

test('testcontainers waits for a line of the log and for health', { skip }, async () => {
  const container = await new GenericContainer('busybox:latest')
    .withCommand(['sh', '-c', serve])
    .withHealthCheck({
      test: ['CMD-SHELL', 'wget -q -O /dev/null http://127.0.0.1/'],
      interval: 500,
      timeout: 20_000,
      retries: 100,
    })
    .withWaitStrategy(Wait.forAll([Wait.forLogMessage('serving'), Wait.forHealthCheck()]))
    .start()
  await container.stop()
})

test('testcontainers joins containers by a network and its aliases', { skip }, async () => {
  const network = await new Network().start()
  const server = await new GenericContainer('busybox:latest')
    .withCommand(['sh', '-c', serve])
    .withNetwork(network)
    .withNetworkAliases('site')
    .withWaitStrategy(Wait.forLogMessage('serving'))
    .start()
  const client = await new GenericContainer('busybox:latest')
    .withCommand(['sleep', '1000'])
    .withNetwork(network)
    .start()
  try {
    const { output } = await client.exec(['wget', '-q', '-O', '-', 'http://site/'])
    assert.equal(output, 'page\n')
  } finally {
    await client.stop({ timeout: 0 })
    await server.stop({ timeout: 0 })
    await network.stop()
  }
})

test('testcontainers copies files in and out, limits, follows the log and restarts', {
  skip,
}, async () => {
  const lines: string[] = []
  const container = await new GenericContainer('busybox:latest')
    .withCommand(['sh', '-c', `cat /etc/greeting; echo $COLOUR; ${serve}`])
    .withEnvironment({ COLOUR: 'red' })
    .withCopyContentToContainer([{ content: 'hello\n', target: '/etc/greeting' }])
    .withTmpFs({ '/scratch': 'size=1m' })
    .withResourcesQuota({ memory: 0.05, cpu: 0.5 })
    .withLabels({ 'com.example': 'x' })
    .withExposedPorts(80)
    .withLogConsumer((stream) => {
      stream.on('data', (line: Buffer | string) => lines.push(String(line).trim()))
    })
    .withWaitStrategy(Wait.forHttp('/', 80).forStatusCode(200))
    .start()
  try {
    const { output } = await container.exec(['sh', '-c', 'cat /proc/mounts; cat /etc/greeting'], {
      user: '1000',
    })
    assert.match(output, /^tmpfs \/scratch tmpfs .*size=1024k/m)
    assert.match(output, /^hello$/m)
    const archive = await container.copyArchiveFromContainer('/etc/greeting')
    const chunks: Buffer[] = []
    for await (const chunk of archive) chunks.push(Buffer.from(chunk as Uint8Array))
    assert.match(Buffer.concat(chunks).toString('latin1'), /^greeting\0[^]*hello\n/)
    assert.deepEqual(lines.slice(0, 3), ['hello', 'red', 'serving'])
    assert.equal(container.getLabels()['com.example'], 'x')
    await container.restart()
    assert.equal(await page(container), 'page\n')
  } finally {
    await container.stop({ timeout: 0 })
  }
})

test('testcontainers finds a container that is to be used again', { skip }, async () => {
  const start = async (): Promise<StartedTestContainer> =>
    await new GenericContainer('busybox:latest').withCommand(['sleep', '1000']).withReuse().start()
  const [first, second] = [await start(), await start()]
  try {
    assert.equal(second.getId(), first.getId())
  } finally {
    await first.stop({ timeout: 0 })
  }
})

test('testcontainers says why a container that ends at once cannot be waited for', {
  skip,
}, async () => {
  const starting = new GenericContainer('busybox:latest')
    .withCommand(['sh', '-c', 'echo no >&2; exit 4'])
    .withWaitStrategy(Wait.forLogMessage('never'))
    .withStartupTimeout(20_000)
    .start()
  await assert.rejects(starting, /not received|exited|never/i)
})
