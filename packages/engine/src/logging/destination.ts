import { createSocket } from 'node:dgram'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { sendDatagram } from '@ctr/linux'
import type { SyslogAddress, SyslogTls } from './options.ts'

/** Where messages go. `send` resolves when the message is out of our hands, and rejects when it could not be sent. */
export interface Sender {
  send(message: Buffer): Promise<void>
  close(): void
}

const JOURNAL_SOCKET = '/run/systemd/journal/socket'
const CONNECT_TIMEOUT_MS = 10_000

export function journalSocketPath(): string {
  return process.env['CTR_JOURNAL_SOCKET'] ?? JOURNAL_SOCKET
}

export function datagramSender(path: string): Sender {
  return {
    // A full queue gives EAGAIN, which is tried again as any failure.
    send: async (message) => sendDatagram(path, message),
    close: () => undefined,
  }
}

export async function openSyslog(address: SyslogAddress, tls: SyslogTls): Promise<Sender> {
  switch (address.protocol) {
    case 'unixgram':
      return datagramSender(address.path)
    case 'udp':
      return udpSender(address.host, address.port)
    case 'unix':
      return streamSender(() => connect(address.path), 'connect')
    case 'tcp':
      return streamSender(() => connect(address.port, address.host), 'connect')
    case 'tcp+tls':
      return streamSender(
        () =>
          connectTls({
            host: address.host,
            port: address.port,
            servername: address.host,
            rejectUnauthorized: !tls.skipsVerify,
            ...(tls.caPath === '' ? {} : { ca: readFileSync(tls.caPath) }),
            ...(tls.certificatePath === '' ? {} : { cert: readFileSync(tls.certificatePath) }),
            ...(tls.keyPath === '' ? {} : { key: readFileSync(tls.keyPath) }),
          }),
        'secureConnect',
      )
  }
}

function udpSender(host: string, port: number): Sender {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
  socket.unref()
  // Nobody listens: UDP cannot tell, and is not asked to.
  socket.on('error', () => undefined)
  return {
    send: async (message) => {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      socket.send(message, port, host, (error) => (error === null ? resolve() : reject(error)))
      await promise
    },
    close: () => socket.close(),
  }
}

async function streamSender(
  open: () => Socket,
  readyEvent: 'connect' | 'secureConnect',
): Promise<Sender> {
  const socket = open()
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let failure: Error | undefined
  const fail = (error: Error): void => {
    failure ??= error
    reject(failure)
  }
  socket.on('error', fail)
  // A server that closes does so without an error; what is written after it is lost.
  socket.on('close', () => fail(new Error('the syslog server has closed the connection')))
  socket.once(readyEvent, resolve)
  socket.setTimeout(CONNECT_TIMEOUT_MS, () => socket.destroy(new Error('no answer in time')))
  try {
    await promise
  } catch (error) {
    socket.destroy()
    throw error
  }
  socket.setTimeout(0)
  socket.unref()
  socket.resume()
  return {
    send: async (message) => {
      if (failure !== undefined) throw failure
      const sent = Promise.withResolvers<void>()
      socket.write(message, (error) =>
        error === null || error === undefined ? sent.resolve() : sent.reject(error),
      )
      await sent.promise
    },
    close: () => socket.destroySoon(),
  }
}
