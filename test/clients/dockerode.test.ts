import assert from 'node:assert/strict'
import { PassThrough, Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { requires, tarArchive, waitFor } from '@ctr/testkit'
import Docker from 'dockerode'
import { useDaemon } from '../daemon-fixture.ts'

/** dockerode, the usual client of Node programs. */
const skip = requires({ root: true })
const ctrd = useDaemon()
const docker = (): Docker => new Docker({ socketPath: ctrd().socketPath })

test('dockerode runs a command and keeps its two streams apart', { skip }, async () => {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  const texts = Promise.all([text(stdout), text(stderr)])
  const script = 'echo out; echo err >&2; exit 3'
  const result: [{ StatusCode: number }, Docker.Container] = await docker().run(
    'busybox',
    ['sh', '-c', script],
    [stdout, stderr],
    { Tty: false },
  )
  stdout.end()
  stderr.end()
  assert.equal(result[0].StatusCode, 3)
  assert.deepEqual(await texts, ['out\n', 'err\n'])
  await result[1].remove()
})

test('dockerode builds an image', { skip }, async () => {
  const context = tarArchive([
    { path: 'Dockerfile', content: 'FROM busybox\nCOPY a /\nRUN cat /a\n' },
    { path: 'a', content: 'copied\n' },
  ])
  const answer = await docker().buildImage(Readable.from([context]), { t: 'odebuilt:1' })
  const messages = await new Promise<{ stream?: string }[]>((resolve, reject) => {
    docker().modem.followProgress(answer, (error, all) => (error ? reject(error) : resolve(all)))
  })
  const output = messages.map(({ stream = '' }) => stream).join('')
  assert.match(output, /^copied\n[^]*Successfully tagged odebuilt:1\n$/m)
  await docker().getImage('odebuilt:1').remove()
})

test('dockerode talks to a process through a hijacked connection', { skip }, async () => {
  const container = await docker().createContainer({
    Image: 'busybox',
    Cmd: ['sh', '-c', 'read line; echo "got $line"; cat; exit 6'],
    OpenStdin: true,
    StdinOnce: true,
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
  })
  const stream = await container.attach({
    stream: true,
    stdin: true,
    stdout: true,
    stderr: true,
    hijack: true,
  })
  const output = new PassThrough()
  container.modem.demuxStream(stream, output, output)
  stream.on('end', () => output.end())
  const said = text(output)
  const waiting = container.wait({ condition: 'next-exit' })
  await container.start()
  stream.write('one\ntwo\n')
  stream.end()
  assert.equal(await said, 'got one\ntwo\n')
  assert.equal(((await waiting) as { StatusCode: number }).StatusCode, 6)
})

test('dockerode follows logs and events, enters, copies and removes', { skip }, async () => {
  const client = docker()
  const events = await client.getEvents({ filters: { type: ['container'] } })
  const actions: string[] = []
  events.on('data', (chunk: Buffer) => {
    for (const line of chunk.toString().trim().split('\n')) {
      actions.push((JSON.parse(line) as { Action: string }).Action)
    }
  })
  const container = await client.createContainer({
    name: 'node',
    Image: 'busybox',
    Cmd: ['sh', '-c', 'echo ready; exec sleep 1000'],
    Labels: { by: 'dockerode' },
    HostConfig: { Memory: 64 * 1024 * 1024, Binds: ['odevol:/data'] },
  })
  await container.start()
  const logs = await container.logs({ follow: true, stdout: true, stderr: true })
  let logged = ''
  logs.on('data', (chunk: Buffer) => {
    logged += chunk.toString('latin1')
  })
  await waitFor('the log', () => logged.includes('ready\n'))

  const exec = await container.exec({
    Cmd: ['sh', '-c', 'cat; exit 4'],
    AttachStdin: true,
    AttachStdout: true,
  })
  const stream = await exec.start({ hijack: true, stdin: true })
  const output = new PassThrough()
  container.modem.demuxStream(stream, output, output)
  stream.on('end', () => output.end())
  stream.end('through')
  assert.equal(await text(output), 'through')
  assert.equal((await exec.inspect()).ExitCode, 4)

  await container.putArchive(tarArchive([{ path: 'note', content: 'hello' }]), { path: '/data' })
  const archive = await text(await container.getArchive({ path: '/data/note' }))
  assert.match(archive, /^note\0[^]*hello/)
  assert.equal((await container.stats({ stream: false })).memory_stats.limit, 64 * 1024 * 1024)
  const [listed] = await client.listContainers({ filters: { label: ['by=dockerode'] } })
  assert.deepEqual(listed?.Names, ['/node'])
  await container.stop({ t: 0 })
  await container.remove({ v: true })
  await assert.rejects(container.inspect(), { statusCode: 404 })
  await waitFor('the last event', () => actions.includes('destroy'))
  ;(events as NodeJS.ReadableStream & { destroy(): void }).destroy()
  await client.getVolume('odevol').remove()
})

test('dockerode makes networks and images', { skip }, async () => {
  const client = docker()
  const network = await client.createNetwork({ Name: 'odenet', Internal: true })
  assert.equal(((await network.inspect()) as { Internal: boolean }).Internal, true)
  await network.remove()
  const container = await client.createContainer({ Image: 'busybox', Cmd: ['true'] })
  await container.commit({ repo: 'ode', tag: '1', comment: 'made' })
  const archive = await client.getImage('ode:1').get()
  await client.getImage('ode:1').remove()
  const progress = await client.loadImage(archive)
  assert.match(await text(progress), /Loaded image: ode:1/)
  assert.equal((await client.getImage('ode:1').history()).length > 0, true)
  await client.getImage('ode:1').remove()
})
