import assert from 'node:assert/strict'
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

test('testcontainers waits for a line of the log and for health', { skip }, async () => {
  const container = await new GenericContainer('busybox:latest')
    .withCommand(['sh', '-c', serve])
    .withHealthCheck({
      test: ['CMD-SHELL', 'wget -q -O /dev/null http://127.0.0.1/'],
      interval: 500,
      timeout: 20_000,
      retries: 10,
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
