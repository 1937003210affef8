import { createHash } from 'node:crypto'
import type { Engine } from '@ctr/engine'
import { invalid } from '@ctr/errdefs'
import { type Aside, encodeHeader, fromText, paddingOf, TAR_END } from '@ctr/images'
import type { CopySource } from './copy-sources.ts'
import type { HereDocument } from './dockerfile/here-document.ts'
import { Tree } from './tree.ts'

/** A here-document as a file of its name, for a COPY or for the container that runs it. Dispose of it. */
export async function storeDocument(
  engine: Pick<Engine, 'images'>,
  { name, content }: HereDocument,
  mode: number,
): Promise<{ readonly source: CopySource; readonly aside: Aside }> {
  if (/[/\0]/.test(name) || name === '.' || name === '..') {
    throw invalid(`a here-document cannot be called ${JSON.stringify(name)}`)
  }
  const path = fromText(name)
  const bytes = Buffer.from(content)
  const aside = await engine.images.unpackAside(oneFile(path, bytes, mode), 'build')
  const tree = new Tree([aside.directory])
  const node = tree.find(path, { follow: false })
  if (node === undefined) throw invalid(`the here-document ${name} was not stored`)
  return { source: { tree, node, name: path, hash: `file:${hashOf(name, content)}` }, aside }
}

export function hashOf(name: string, content: string): string {
  return createHash('sha256').update(`${name}\0${content}`).digest('hex')
}

async function* oneFile(path: string, bytes: Buffer, mode: number): AsyncGenerator<Buffer> {
  yield encodeHeader({ path, type: 'file', mode, size: bytes.length })
  yield bytes
  yield Buffer.alloc(paddingOf(bytes.length))
  yield TAR_END
}
