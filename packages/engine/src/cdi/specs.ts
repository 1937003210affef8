import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { invalid, isErrno } from '@ctr/errdefs'
import type { parse as Parse } from 'yaml'

/** Container Device Interface: what a device of a vendor needs in a container, by files of that vendor. cdi SPEC.md */
export interface CdiEdits {
  readonly env: readonly string[]
  readonly deviceNodes: readonly CdiNode[]
  readonly mounts: readonly CdiMount[]
  readonly additionalGids: readonly number[]
}

export interface CdiNode {
  readonly path: string
  readonly hostPath: string
  readonly permissions: string
  readonly uid: number | undefined
  readonly gid: number | undefined
  readonly fileMode: number | undefined
}

interface CdiMount {
  readonly hostPath: string
  readonly containerPath: string
  readonly options: readonly string[]
}

interface CdiSpec {
  readonly kind: string
  readonly edits: CdiEdits
  readonly devices: ReadonlyMap<string, CdiEdits>
}

/** Loaded by the first that needs it: 72 files, which every start of the daemon would pay for. */
const requireYaml = createRequire(import.meta.url)

const NONE: CdiEdits = { env: [], deviceNodes: [], mounts: [], additionalGids: [] }
const NAME = /^([A-Za-z][\w.-]*\/[A-Za-z][\w-]*)=([A-Za-z0-9][\w.:-]*)$/
const MAX_BYTES = 4 * 1024 * 1024

/** Edits of all named devices (`vendor.com/class=name`); specs of later directories win. INVALID_ARGUMENT. */
export function cdiEdits(names: readonly string[], directories: readonly string[]): CdiEdits {
  if (names.length === 0) return NONE
  const specs = directories.flatMap(readSpecs).reverse()
  const all: CdiEdits[] = []
  const used = new Set<CdiSpec>()
  for (const name of new Set(names)) {
    const [, kind = '', device = ''] = NAME.exec(name) ?? []
    const spec = specs.find((one) => one.kind === kind && one.devices.has(device))
    const edits = spec?.devices.get(device)
    if (spec === undefined || edits === undefined) {
      throw invalid(`CDI device injection failed: unresolvable CDI devices ${name}`)
    }
    if (!used.has(spec)) all.push(spec.edits)
    used.add(spec)
    all.push(edits)
  }
  return {
    env: all.flatMap(({ env }) => env),
    deviceNodes: all.flatMap(({ deviceNodes }) => deviceNodes),
    mounts: all.flatMap(({ mounts }) => mounts),
    additionalGids: all.flatMap(({ additionalGids }) => additionalGids),
  }
}

/** First of `kinds` that a spec describes. */
export function firstCdiKind(
  kinds: readonly string[],
  directories: readonly string[],
): string | undefined {
  const known = new Set(directories.flatMap(readSpecs).map(({ kind }) => kind))
  return kinds.find((kind) => known.has(kind))
}

function readSpecs(directory: string): CdiSpec[] {
  let names: string[]
  try {
    names = readdirSync(directory).sort()
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return []
    throw error
  }
  return names
    .filter((name) => /\.(?:json|ya?ml)$/.test(name))
    .flatMap((name) => {
      const path = join(directory, name)
      try {
        return [parseSpec(readFileSync(path, 'utf8'))]
      } catch (error) {
        // One broken file must not hide all other devices; its own are then unresolvable.
        if (error instanceof BrokenSpec || isErrno(error, 'ENOENT', 'EISDIR')) return []
        throw error
      }
    })
}

class BrokenSpec extends Error {}

function parseSpec(text: string): CdiSpec {
  if (text.length > MAX_BYTES) throw new BrokenSpec('too large')
  let document: unknown
  try {
    // JSON is YAML. No aliases: they can make a small file large.
    const { parse } = requireYaml('yaml') as { parse: typeof Parse }
    document = parse(text, { maxAliasCount: 0 })
  } catch (error) {
    throw new BrokenSpec(String(error))
  }
  const { kind, devices, containerEdits } = record(document)
  return {
    kind: string(kind),
    edits: parseEdits(containerEdits),
    devices: new Map(
      list(devices).map((device) => {
        const { name, containerEdits: edits } = record(device)
        return [string(name), parseEdits(edits)]
      }),
    ),
  }
}

function parseEdits(value: unknown): CdiEdits {
  if (value === undefined || value === null) return NONE
  const { env, deviceNodes, mounts, additionalGids, hooks } = record(value)
  if (list(hooks).length > 0) throw new BrokenSpec('hooks')
  return {
    env: list(env).map(string),
    deviceNodes: list(deviceNodes).map((node) => {
      const { path, hostPath, permissions, uid, gid, fileMode } = record(node)
      return {
        path: string(path),
        hostPath: string(hostPath ?? path),
        permissions: string(permissions ?? 'rwm'),
        uid: number(uid),
        gid: number(gid),
        fileMode: number(fileMode),
      }
    }),
    mounts: list(mounts).map((mount) => {
      const { hostPath, containerPath, options } = record(mount)
      return {
        hostPath: string(hostPath),
        containerPath: string(containerPath),
        options: list(options).map(string),
      }
    }),
    additionalGids: list(additionalGids).map((gid) => number(gid) ?? 0),
  }
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new BrokenSpec('not an object')
  }
  return value as Readonly<Record<string, unknown>>
}

function list(value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw new BrokenSpec('not a list')
  return value
}

function string(value: unknown): string {
  if (typeof value !== 'string' || value.includes('\0')) throw new BrokenSpec('not a string')
  return value
}

function number(value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined
  if (!Number.isInteger(value) || (value as number) < 0) throw new BrokenSpec('not a number')
  return value as number
}
