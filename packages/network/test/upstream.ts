import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'
import { answerTo, record } from '../src/dns/message-fixture.ts'

/**
 * A resolver outside. `x.example` is 203.0.113.7 for 60 s, its last byte counts how often it was asked; `long.example` does not fit into
 * UDP; `broken.example` is a failure; `silent.example` gets no answer; all else does not exist.
 */
let count = 6

function answer(query: Buffer, isTcp: boolean): Buffer | undefined {
  const text = query.toString('latin1', 12).toLowerCase()
  const isIpv4 = query.readUInt16BE(query.indexOf(0, 12) + 1) === 1
  if (text.startsWith('\x06silent')) return undefined
  if (text.startsWith('\x06broken')) return answerTo(query, [], { rcode: 2 })
  if (text.startsWith('\x01x\x07example') && isIpv4) {
    count++
    return answerTo(query, [record(1, 60, Buffer.from([203, 0, 113, count]))])
  }
  if (text.startsWith('\x04long\x07example') && isIpv4) {
    if (!isTcp) return answerTo(query, [], { truncated: true })
    const records = Array.from({ length: 200 }, (_, n) =>
      record(1, 60, Buffer.from([203, 0, 113, n])),
    )
    return answerTo(query, records)
  }
  return answerTo(query, [], { rcode: 3 })
}

const udp = createSocket('udp4')
udp.on('message', (bytes, client) => {
  const response = answer(bytes, false)
  if (response !== undefined) udp.send(response, client.port, client.address)
})
udp.bind(53)
createServer((socket) => {
  socket.on('error', () => undefined)
  socket.once('data', (bytes: Buffer) => {
    const response = answer(bytes.subarray(2), true) ?? Buffer.alloc(0)
    const length = Buffer.alloc(2)
    length.writeUInt16BE(response.length)
    socket.end(Buffer.concat([length, response]))
  })
}).listen(53, '0.0.0.0')
