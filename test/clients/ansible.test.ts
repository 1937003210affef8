import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { requires, run } from '@ctr/testkit'
import { useDaemon } from '../daemon-fixture.ts'

/** Ansible’s collection community.docker, which is in Debian’s package ansible. */
const skip = requires({ root: true, commands: ['ansible-playbook'] }) || (await noCollection())
// Its networks have addresses of their own.
const ctrd = useDaemon({ isIsolated: true })

const MODULE = 'community.docker.docker'
const web = {
  name: 'web',
  image: 'busybox:latest',
  command: 'sleep 1000',
  env: { A: '1', B: 'two words' },
  labels: { by: 'ansible' },
  exposed_ports: ['9001', '9010-9012'],
  published_ports: ['127.0.0.1::80', '81/udp'],
  volumes: ['ansible-data:/data', '/tmp:/host:ro'],
  networks: [{ name: 'ansible-net', ipv4_address: '10.77.1.10', aliases: ['www'] }],
  networks_cli_compatible: true,
  healthcheck: { test: ['CMD', 'true'], interval: '1h2m3s', timeout: '2s', retries: 2 },
  restart_policy: 'on-failure',
  restart_retries: 5,
  memory: '64M',
  ulimits: ['nofile:1234:2345'],
  capabilities: ['sys_time'],
  cap_drop: ['NET_RAW'],
  etc_hosts: { 'example.com': '1.2.3.4' },
  dns_servers: ['1.1.1.1'],
  sysctls: { 'net.core.somaxconn': '1024' },
  tmpfs: ['/scratch:size=1m'],
  init: true,
  stop_signal: '9',
}
const network = {
  name: 'ansible-net',
  ipam_config: [{ subnet: '10.77.1.0/24', gateway: '10.77.1.2' }],
  labels: { by: 'ansible' },
}
const exec = { container: 'web', argv: ['sh', '-c', 'cat; cat /tmp/note; exit 3'], stdin: 'in' }
const note = { container: 'web', content: 'copied', container_path: '/tmp/note', mode: '0640' }

/** Module, its arguments, and whether it has changed anything. */
const TASKS: readonly (readonly [string, object, 'changed' | 'ok' | 'failed'])[] = [
  ['network', network, 'changed'],
  ['network', network, 'ok'],
  ['volume', { name: 'ansible-data', labels: { by: 'ansible' } }, 'changed'],
  ['volume', { name: 'ansible-data', labels: { by: 'ansible' } }, 'ok'],
  ['container', web, 'changed'],
  ['container', web, 'ok'],
  ['container', { ...web, memory: '96M' }, 'changed'],
  ['container', { ...web, memory: '96M' }, 'ok'],
  ['container', { ...web, memory: '96M', env: { A: '2' } }, 'changed'],
  ['container_copy_into', note, 'changed'],
  ['container_copy_into', note, 'ok'],
  // Its exit code is not 0.
  ['container_exec', exec, 'failed'],
  ['container', { name: 'web', state: 'stopped', force_kill: true }, 'changed'],
  ['container', { name: 'web', state: 'stopped', force_kill: true }, 'ok'],
  ['container', { name: 'web', state: 'absent' }, 'changed'],
  ['container', { name: 'web', state: 'absent' }, 'ok'],
  ['network', { name: 'ansible-net', state: 'absent' }, 'changed'],
  ['volume', { name: 'ansible-data', state: 'absent' }, 'changed'],
  ['container', { name: 'bad', image: 'busybox:latest', memory: '1M' }, 'failed'],
]

test('what Ansible has made it finds unchanged, and changes what differs', { skip }, async () => {
  const daemon = ctrd()
  const playbook = `${daemon.root}/play.yml`
  const tasks = TASKS.map(([name, args]) => ({ [`${MODULE}_${name}`]: args, ignore_errors: true }))
  const vars = { ansible_python_interpreter: '/usr/bin/python3' }
  const play = { hosts: 'localhost', connection: 'local', gather_facts: false, vars, tasks }
  writeFileSync(playbook, JSON.stringify([play]))
  const { code, stdout, stderr } = await run(['ansible-playbook', '-i', 'localhost,', playbook], {
    env: { ...daemon.clientEnvironment, ANSIBLE_STDOUT_CALLBACK: 'json' },
    timeoutMs: 300_000,
  })
  assert.equal(code, 0, stdout + stderr)
  const results = resultsOf(stdout)
  assert.deepEqual(
    results.map(({ outcome }, index) => `${TASKS[index]?.[0]} ${outcome}`),
    TASKS.map(([name, , outcome]) => `${name} ${outcome}`),
    results.map(({ message }, index) => `${index}: ${message}`).join('\n'),
  )
  const ran = results[TASKS.findIndex(([name]) => name === 'container_exec')]
  assert.deepEqual([ran?.stdout, ran?.code], ['in\ncopied', 3])
})

interface TaskResult {
  readonly outcome: string
  readonly message: string
  readonly stdout: string
  readonly code: number
}

function resultsOf(text: string): TaskResult[] {
  const { plays } = JSON.parse(text.slice(text.indexOf('{\n'))) as {
    plays: { tasks: { hosts: { localhost: Record<string, never> } }[] }[]
  }
  return (plays[0]?.tasks ?? []).map(({ hosts: { localhost: result } }) => ({
    outcome: result['failed'] ? 'failed' : result['changed'] ? 'changed' : 'ok',
    message: result['msg'] ?? '',
    stdout: result['stdout'] ?? '',
    code: result['rc'] ?? 0,
  }))
}

async function noCollection(): Promise<string | false> {
  const { code } = await run(['ansible-doc', '-l', 'community.docker']).catch(() => ({ code: 1 }))
  return code === 0 ? false : 'needs the collection community.docker, which is in Debian’s ansible'
}
