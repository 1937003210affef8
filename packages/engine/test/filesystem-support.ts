import type { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { createExec, type Engine, startExec } from '@ctr/engine'
import {
  encodeHeader,
  type NewEntry,
  paddingOf,
  TAR_END,
  type TarEntry,
  TarParser,
} from '@ctr/images'

export type Member = TarEntry & { readonly text: string }

/** The members of an archive, in its order. Throws where it is broken. */
export async function membersOf(stream: Readable): Promise<Member[]> {
  const members: Member[] = []
  let chunks: Buffer[] = []
  let current: TarEntry | undefined
  const parser = new TarParser({
    entry: (entry) => {
      if (entry.type === 'file') current = entry
      else members.push({ ...entry, text: '' })
    },
    data: (chunk) => chunks.push(Buffer.from(chunk)),
    end: () => {
      if (current !== undefined)
        members.push({ ...current, text: Buffer.concat(chunks).toString() })
      chunks = []
    },
  })
  for await (const chunk of stream as AsyncIterable<Buffer>) parser.write(Buffer.from(chunk))
  parser.finish()
  return members
}

export function tar(entries: readonly (NewEntry & { readonly text?: string })[]): Buffer {
  const parts = entries.flatMap(({ text, ...entry }) => {
    const data = Buffer.from(text ?? '')
    const header = encodeHeader({ mode: 0o644, ...entry, size: data.length })
    return [header, data, Buffer.alloc(paddingOf(data.length))]
  })
  return Buffer.concat([...parts, TAR_END])
}

/** Runs a shell command in a running container to its end; gives its output. */
export async function shell(engine: Engine, id: string, script: string): Promise<string> {
  const exec = await createExec(engine, id, {
    Cmd: ['sh', '-c', script],
    AttachStdout: true,
    AttachStderr: true,
    Tty: true,
  })
  const session = await startExec(engine, exec, { detach: false, tty: true })
  const socket = await session?.stream
  let output = ''
  if (socket !== undefined) for await (const chunk of socket) output += String(chunk)
  return output.replaceAll('\r\n', '\n')
}

/** Until the command succeeds. */
export async function until(what: string, isTrue: () => Promise<boolean> | boolean): Promise<void> {
  for (const deadline = Date.now() + 120_000; Date.now() < deadline; await delay(20)) {
    if (await isTrue()) return
  }
  throw new Error(`not in time: ${what}`)
}
