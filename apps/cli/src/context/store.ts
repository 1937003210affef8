import { ExitError } from '../command.ts'
import { nodeFs, nodePath } from '../node-modules.ts'
import { DEFAULT_CONTEXT } from './current.ts'

/**
 * Contexts in Docker's layout, shared with the docker CLI: `contexts/meta/<sha256 of the name>/meta.json`, and the files of
 * TLS in `contexts/tls/<sha256>/docker/`. The context `default` is not stored: it is the environment or the default socket.
 */
export interface StoredContext {
  readonly Name: string
  readonly Metadata: { readonly Description?: string }
  readonly Endpoints: {
    readonly docker?: { readonly Host?: string; readonly SkipTLSVerify?: boolean }
  }
}

export const TLS_FILES = ['ca.pem', 'cert.pem', 'key.pem'] as const
export type TlsFile = (typeof TLS_FILES)[number]

const NAME_PATTERN = '^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$'

export class ContextStore {
  readonly #directory: string

  constructor(configDirectory: string) {
    this.#directory = nodePath().join(configDirectory, 'contexts')
  }

  metadataPath(name: string): string {
    return nodePath().join(this.#directory, 'meta', hashOf(name))
  }

  tlsPath(name: string): string {
    return nodePath().join(this.#directory, 'tls', hashOf(name))
  }

  has(name: string): boolean {
    return readText(nodePath().join(this.metadataPath(name), 'meta.json')) !== undefined
  }

  get(name: string): StoredContext {
    const path = nodePath().join(this.metadataPath(name), 'meta.json')
    const text = readText(path)
    if (text === undefined) {
      const reason = `context ${JSON.stringify(name)}: context not found`
      throw new ExitError(1, `${reason}: open ${path}: no such file or directory`)
    }
    return parseContext(text, path)
  }

  list(): StoredContext[] {
    return names(nodePath().join(this.#directory, 'meta'))
      .flatMap((hash) => {
        const path = nodePath().join(this.#directory, 'meta', hash, 'meta.json')
        const text = readText(path)
        return text === undefined ? [] : [parseContext(text, path)]
      })
      .toSorted((a, b) => (a.Name < b.Name ? -1 : 1))
  }

  tls(name: string): Partial<Record<TlsFile, Buffer>> {
    const directory = nodePath().join(this.tlsPath(name), 'docker')
    const files: Partial<Record<TlsFile, Buffer>> = {}
    for (const file of TLS_FILES) {
      if (readText(nodePath().join(directory, file)) === undefined) continue
      files[file] = nodeFs().readFileSync(nodePath().join(directory, file))
    }
    return files
  }

  put(context: StoredContext, tls?: Partial<Record<TlsFile, Buffer>>): void {
    const directory = this.metadataPath(context.Name)
    nodeFs().mkdirSync(directory, { recursive: true, mode: 0o755 })
    replaceFile(nodePath().join(directory, 'meta.json'), JSON.stringify(context), 0o644)
    if (tls === undefined) return
    const tlsDirectory = this.tlsPath(context.Name)
    nodeFs().rmSync(tlsDirectory, { recursive: true, force: true })
    const entries = Object.entries(tls)
    if (entries.length > 0)
      nodeFs().mkdirSync(nodePath().join(tlsDirectory, 'docker'), { recursive: true, mode: 0o700 })
    for (const [file, data] of entries)
      replaceFile(nodePath().join(tlsDirectory, 'docker', file), data, 0o600)
  }

  remove(name: string): void {
    nodeFs().rmSync(this.metadataPath(name), { recursive: true, force: true })
    nodeFs().rmSync(this.tlsPath(name), { recursive: true, force: true })
  }
}

export function checkNewName(store: ContextStore, name: string): void {
  if (name === DEFAULT_CONTEXT) throw reserved()
  if (!new RegExp(NAME_PATTERN).test(name)) {
    throw new ExitError(
      1,
      `context name ${JSON.stringify(name)} is invalid, names are validated against regexp "${NAME_PATTERN}"`,
    )
  }
  if (store.has(name)) throw new ExitError(1, `context ${JSON.stringify(name)} already exists`)
}

export function reserved(): ExitError {
  return new ExitError(1, '"default" is a reserved context name')
}

export function parseContext(text: string, path: string): StoredContext {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new ExitError(1, `${path}: ${String(error)}`)
  }
  const { Name, Metadata, Endpoints } = (value ?? {}) as Partial<StoredContext>
  if (typeof Name !== 'string' || Name === '') throw new ExitError(1, `${path}: it has no Name`)
  return { Name, Metadata: Metadata ?? {}, Endpoints: Endpoints ?? {} }
}

function hashOf(name: string): string {
  // Not imported: commands without a context do not pay for it.
  const { createHash } = process.getBuiltinModule('node:crypto')
  return createHash('sha256').update(name).digest('hex')
}

function readText(path: string): string | undefined {
  try {
    return nodeFs().readFileSync(path, 'utf8')
  } catch {
    return undefined // as docker: not there
  }
}

function names(directory: string): string[] {
  try {
    return nodeFs().readdirSync(directory)
  } catch {
    return []
  }
}

function replaceFile(path: string, data: string | Buffer, mode: number): void {
  const temporary = `${path}.${process.pid}`
  nodeFs().writeFileSync(temporary, data, { mode })
  nodeFs().renameSync(temporary, path)
}
