import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { test } from 'node:test'
import { requires, waitFor } from '@ctr/testkit'
import { field, useDaemon } from './daemon-fixture.ts'

const skip = requires({ root: true })
const ctrd = useDaemon()

interface Stats {
  readonly cpu_stats: {
    readonly throttling_data: {
      readonly throttled_periods: number
      readonly throttled_time: number
    }
  }
  readonly networks: Readonly<
    Record<string, { readonly rx_bytes: number; readonly tx_bytes: number }>
  >
}

async function stats(name: string): Promise<Stats> {
  const path = `/containers/${name}/stats?stream=0&one-shot=1`
  return (await ctrd().request('GET', path)).json() as Stats
}

test('a container that wants more than its share is seen to be throttled', { skip }, async () => {
  const loop = ['busybox', 'sh', '-c', 'while :; do :; done']
  await ctrd().ok(['run', '-d', '--name', 'busy', '--cpus', '0.1', ...loop])
  await waitFor('a throttled period', async () => {
    const { throttled_periods, throttled_time } = (await stats('busy')).cpu_stats.throttling_data
    return throttled_periods > 0 && throttled_time > 0
  })
})

test('what a container receives counts as received', { skip }, async () => {
  await ctrd().ok(['run', '-d', '--name', 'net', 'busybox', 'sleep', '300'])
  const address = await field(ctrd(), 'net', '{{.NetworkSettings.IPAddress}}')
  const before = (await stats('net')).networks['eth0']
  assert.ok(before)
  const socket = createSocket('udp4')
  const [count, size] = [50, 1000]
  for (let i = 0; i < count; i++) {
    await new Promise((resolve) => socket.send(Buffer.alloc(size), 9, address, resolve))
  }
  socket.close()
  await waitFor('the datagrams', async () => {
    const { rx_bytes = 0 } = (await stats('net')).networks['eth0'] ?? {}
    return rx_bytes - before.rx_bytes >= count * size
  })
  // It answers with a few ICMP messages at most.
  const { tx_bytes = 0 } = (await stats('net')).networks['eth0'] ?? {}
  assert.ok(tx_bytes - before.tx_bytes < (count * size) / 2, `${tx_bytes} bytes sent`)
})
