/** DNS messages for tests, written out field by field. */

export function header(o: {
  flags?: number
  questions?: number
  answers?: number
  authority?: number
  additional?: number
}): Buffer {
  const bytes = Buffer.alloc(12)
  bytes.writeUInt16BE(0x1234, 0)
  bytes.writeUInt16BE(o.flags ?? 0x0100, 2)
  bytes.writeUInt16BE(o.questions ?? 1, 4)
  bytes.writeUInt16BE(o.answers ?? 0, 6)
  bytes.writeUInt16BE(o.authority ?? 0, 8)
  bytes.writeUInt16BE(o.additional ?? 0, 10)
  return bytes
}

export function name(text: string): Buffer {
  const labels = text === '' ? [] : text.split('.')
  return Buffer.from(
    `${labels.map((label) => String.fromCharCode(label.length) + label).join('')}\0`,
    'latin1',
  )
}

export function query(of: string, type: number, additional: readonly Buffer[] = []): Buffer {
  const head = header({ additional: additional.length })
  return Buffer.concat([head, name(of), Buffer.from([0, type, 0, 1]), ...additional])
}

/** Of the name in the question. */
export function record(type: number, ttl: number, data: Buffer): Buffer {
  const head = Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 0, 0, 0])
  head.writeUInt32BE(ttl, 6)
  head.writeUInt16BE(data.length, 10)
  return Buffer.concat([head, data])
}

export function opt(udpBytes: number): Buffer {
  const bytes = Buffer.alloc(11)
  bytes.writeUInt16BE(41, 1)
  bytes.writeUInt16BE(udpBytes, 3)
  return bytes
}

/** `records` are answers, but for the last `authority` ones and an OPT record at the end. */
export function answerTo(
  asked: Buffer,
  records: readonly Buffer[],
  o: { rcode?: number; truncated?: boolean; authority?: number } = {},
): Buffer {
  const questionEnd = asked.indexOf(0, 12) + 5
  const additional = records.at(-1)?.[0] === 0 ? 1 : 0
  const authority = o.authority ?? 0
  const head = header({
    flags: 0x8180 | (o.rcode ?? 0) | (o.truncated ? 0x0200 : 0),
    answers: records.length - authority - additional,
    authority,
    additional,
  })
  asked.copy(head, 0, 0, 2)
  return Buffer.concat([head, asked.subarray(12, questionEnd), ...records])
}
