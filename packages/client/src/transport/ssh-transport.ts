import { spawn } from 'node:child_process'
import type { Host } from '../host.ts'
import type { Transport, TransportListener } from './transport.ts'

/** Runs `ssh DESTINATION ctr system dial-stdio`: the remote CLI joins its stdio with its daemon's socket. */
export async function connectSsh(
  host: Extract<Host, { kind: 'ssh' }>,
  listener: TransportListener,
): Promise<Transport> {
  const socket = host.socketPath === undefined ? [] : ['-H', `unix://${host.socketPath}`]
  const port = host.port === undefined ? [] : ['-p', String(host.port)]
  const child = spawn(
    'ssh',
    [
      '-o',
      'ConnectTimeout=30',
      '-T',
      ...port,
      '--',
      host.destination,
      'ctr',
      ...socket,
      'system',
      'dial-stdio',
    ],
    // Own process group: Ctrl-C in the terminal is for the container, not for ssh.
    { stdio: ['pipe', 'pipe', 'inherit'], detached: true },
  )
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', reject)
  })
  let failure: Error | undefined
  child.stdout.on('data', (chunk: Buffer) => listener.data(chunk))
  child.stdout.on('end', () => listener.end())
  child.stdin.on('drain', () => listener.drain())
  child.stdin.on('error', (error) => {
    failure = error
  })
  child.on('close', (code) => {
    listener.close(code === 0 ? failure : new Error(`ssh ended with status ${code}`))
  })
  return {
    // Node holds what it could not send at once.
    write: (chunk) => child.stdin.write(Buffer.from(chunk)),
    end: () => void child.stdin.end(),
    pause: () => void child.stdout.pause(),
    resume: () => void child.stdout.resume(),
    destroy: () => void child.kill(),
  }
}
