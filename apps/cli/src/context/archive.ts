import { text } from 'node:stream/consumers'
import { extract, pack } from 'tar-stream'
import { ExitError } from '../command.ts'
import { parseContext, type StoredContext, TLS_FILES, type TlsFile } from './store.ts'

/** What `context export` writes and `context import` reads: meta.json and tls/docker/*.pem, as docker's. */
export interface ContextArchive {
  readonly context: StoredContext
  readonly tls: Partial<Record<TlsFile, Buffer>>
}

const MAX_BYTES = 10 * 1024 * 1024

export function packContext({ context, tls }: ContextArchive): AsyncIterable<Uint8Array> {
  const tar = pack()
  const mtime = new Date(0)
  tar.entry({ name: 'meta.json', mode: 0o644, mtime }, JSON.stringify(context))
  tar.entry({ name: 'tls', type: 'directory', mode: 0o700, mtime })
  const files = Object.entries(tls)
  if (files.length > 0) tar.entry({ name: 'tls/docker', type: 'directory', mode: 0o700, mtime })
  for (const [file, data] of files)
    tar.entry({ name: `tls/docker/${file}`, mode: 0o600, mtime }, data)
  tar.finalize()
  return tar as AsyncIterable<Uint8Array>
}

/** Knows no other names than its own, so that an archive cannot write anywhere else. */
export async function unpackContext(source: AsyncIterable<Uint8Array>): Promise<ContextArchive> {
  const tar = extract()
  const writing = feed(source, tar)
  let context: StoredContext | undefined
  const tls: Partial<Record<TlsFile, Buffer>> = {}
  try {
    for await (const entry of tar) {
      const { name, type } = entry.header
      const content = await text(entry)
      if (type !== 'file') continue
      if (name === 'meta.json') context = parseContext(content, 'meta.json')
      const file = TLS_FILES.find((known) => name === `tls/docker/${known}`)
      if (file !== undefined) tls[file] = Buffer.from(content)
    }
    await writing
  } catch (error) {
    if (error instanceof ExitError) throw error
    throw new ExitError(
      1,
      `invalid context: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
  if (context === undefined) throw new ExitError(1, 'invalid context: no meta.json in the archive')
  return { context, tls }
}

/** Gives the archive to the reader, which fails with whatever stops this. */
async function feed(
  source: AsyncIterable<Uint8Array>,
  tar: ReturnType<typeof extract>,
): Promise<void> {
  let bytes = 0
  try {
    for await (const chunk of source) {
      bytes += chunk.length
      if (bytes > MAX_BYTES) throw new Error('the archive is too large for a context')
      if (!tar.write(chunk))
        await new Promise<void>((resolve) => tar.once('drain', () => resolve()))
    }
    tar.end(undefined)
  } catch (error) {
    tar.destroy(error instanceof Error ? error : new Error(String(error)))
  }
}
