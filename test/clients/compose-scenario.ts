import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import type { RunResult, TestDaemon } from '@ctr/testkit'
import { run, waitFor } from '@ctr/testkit'

/** `api` starts when `db` is healthy, `web` when `api` is; each reaches the one before by its name. */
const PROJECT = {
  services: {
    db: {
      image: 'busybox',
      command: [
        'sh',
        '-c',
        'mkdir /www; sleep 0.5; echo rows >/www/index.html; exec httpd -f -h /www -p 5432',
      ],
      healthcheck: check('wget -q -O /dev/null http://127.0.0.1:5432/'),
      volumes: ['data:/data'],
      stop_grace_period: '1s',
    },
    api: {
      image: 'busybox',
      command: [
        'sh',
        '-c',
        'mkdir /www; wget -q -O - http://db:5432/ >/www/index.html || exit 9; echo started with $$GREETING; exec httpd -f -h /www -p 80',
      ],
      environment: { GREETING: 'hello' },
      depends_on: { db: { condition: 'service_healthy' } },
      healthcheck: check('wget -q -O /dev/null http://127.0.0.1/'),
      networks: ['default', 'back'],
      stop_grace_period: '1s',
    },
    web: {
      image: 'busybox',
      command: ['sh', '-c', 'wget -q -O - http://api/; exec sleep 1000'],
      depends_on: { api: { condition: 'service_healthy' } },
      labels: { 'test.role': 'front' },
      stop_grace_period: '1s',
    },
  },
  networks: { back: { internal: true } },
  volumes: { data: {} },
}

function check(command: string): Record<string, unknown> {
  return { test: ['CMD-SHELL', command], interval: '500ms', timeout: '5s', retries: 200 }
}

/** A project up, scaled, entered, read and down, by any docker-compose. */
export async function composeScenario(
  daemon: TestDaemon,
  command: readonly string[],
  separator: '_' | '-',
): Promise<void> {
  const directory = `${daemon.root}/shop`
  mkdirSync(directory, { recursive: true })
  writeFileSync(`${directory}/docker-compose.yml`, JSON.stringify({ version: '3.8', ...PROJECT }))
  const compose = async (...args: string[]): Promise<RunResult> =>
    await run([...command, ...args], {
      cwd: directory,
      env: { ...daemon.clientEnvironment, COMPOSE_INTERACTIVE_NO_CLI: '1' },
      timeoutMs: 120_000,
    })
  const ok = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await compose(...args)
    assert.equal(code, 0, `docker-compose ${args.join(' ')}:\n${stdout}${stderr}`)
    return stdout
  }
  const names = async (): Promise<string[]> =>
    (await daemon.ok(['ps', '--format', '{{.Names}}'])).split('\n').sort()
  const named = (service: string, number = 1): string => ['shop', service, number].join(separator)

  await ok('config', '--quiet')
  await ok('up', '-d')
  assert.deepEqual(await names(), [named('api'), named('db'), named('web')])
  await waitFor('the output of api', async () =>
    (await ok('logs', '--no-color', 'api')).includes('started with hello'),
  )
  await waitFor('the page of db, through api', async () =>
    (await ok('logs', 'web')).includes('rows'),
  )

  await ok('up', '-d') // nothing has changed, nothing is made again
  const id = await daemon.ok(['inspect', '-f', '{{.Id}}', named('web')])
  await ok('up', '-d', '--scale', 'web=3')
  assert.deepEqual(await names(), [
    named('api'),
    named('db'),
    ...[1, 2, 3].map((number) => named('web', number)),
  ])
  assert.equal(await daemon.ok(['inspect', '-f', '{{.Id}}', named('web')]), id)

  assert.equal(await ok('exec', '-T', 'web', 'wget', '-q', '-O', '-', 'http://api/'), 'rows\n')
  const failed = await compose('exec', '-T', 'db', 'sh', '-c', 'exit 7')
  assert.equal(failed.code, 7, failed.stderr)
  // NOTE: not at once: compose 1.29 attaches after the start (dockerpty's sockets() is a lazy map in Python 3), without logs.
  const late = ['sh', '-c', 'until [ -e /go ]; do sleep 0.1; done; echo once']
  const once = ok('run', '--rm', '-T', '--no-deps', 'web', ...late)
  const oneOff = await attached(daemon)
  await waitFor(
    'its start',
    async () => (await daemon.ctr(['exec', oneOff, 'touch', '/go'])).code === 0,
  )
  assert.match(await once, /^once\r?\n$/)
  assert.match(await ok('top', 'db'), /httpd/)
  assert.match(await ok('ps'), /healthy/)
  assert.match(await ok('images'), /busybox/)
  await ok('restart', '-t', '1', 'web')
  await ok('stop', '-t', '1', 'web')
  assert.deepEqual(await names(), [named('api'), named('db')])
  await ok('start', 'web')
  await ok('kill', '-s', 'KILL', 'web')
  await ok('down', '--volumes', '--timeout', '1')
  assert.deepEqual(await names(), [''])
  assert.doesNotMatch(await daemon.ok(['network', 'ls', '--format', '{{.Name}}']), /shop/)
  assert.doesNotMatch(await daemon.ok(['volume', 'ls', '--format', '{{.Name}}']), /shop/)
}

/** Id of the first container of the project that a client attaches to. */
async function attached(daemon: TestDaemon): Promise<string> {
  const filters = ['--filter', 'event=attach', '--filter', 'label=com.docker.compose.project=shop']
  const args = ['--since', '1h', '--until', '0s', '--format', '{{.Actor.ID}}', ...filters]
  return await waitFor('a client to attach', async () => {
    const [id = ''] = (await daemon.ok(['events', ...args])).split('\n')
    return id !== '' && id
  })
}
