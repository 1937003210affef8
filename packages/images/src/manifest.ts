import { arch } from 'node:os'
import { EngineError } from '@ctr/errdefs'
import {
  type Descriptor,
  type ImageIndex,
  type ImageManifest,
  isDigest,
  type Platform,
} from '@ctr/oci'
import { parseJson } from './config.ts'

/** Parses an index (manifest list). Everything that is used later is checked here. */
export function parseIndex(data: Buffer): ImageIndex {
  const document = object(parseJson(data, 'index'), 'index')
  const manifests = document['manifests']
  if (!Array.isArray(manifests)) throw invalid('index', 'manifests must be a list')
  return { schemaVersion: 2, manifests: manifests.map((item) => descriptor(item, 'index')) }
}

export function parseManifest(data: Buffer): ImageManifest {
  const document = object(parseJson(data, 'manifest'), 'manifest')
  const layers = document['layers']
  if (!Array.isArray(layers)) throw invalid('manifest', 'layers must be a list')
  return {
    schemaVersion: 2,
    mediaType: typeof document['mediaType'] === 'string' ? document['mediaType'] : undefined,
    config: descriptor(document['config'], 'manifest'),
    layers: layers.map((item) => descriptor(item, 'manifest')),
  }
}

/** The manifest for a platform (`os/architecture[/variant]`; this machine's if undefined). */
export function choosePlatform(index: ImageIndex, wanted: string | undefined): Descriptor {
  const platform = parsePlatform(wanted ?? hostPlatform())
  const images = index.manifests.filter(
    (item) => item.annotations?.['vnd.docker.reference.type'] === undefined,
  )
  const matches = images.filter(
    (item) => item.platform === undefined || isSame(item.platform, platform),
  )
  const exact = matches.find((item) => item.platform?.variant === platform.variant)
  const chosen = exact ?? matches[0]
  if (chosen === undefined) {
    throw new EngineError(
      'NOT_FOUND',
      `no matching manifest for ${wanted ?? hostPlatform()} in the manifest list entries`,
    )
  }
  return chosen
}

/** As Docker names this machine: `linux/amd64`. */
export function hostPlatform(): string {
  return `linux/${hostArchitecture()}`
}

export function hostArchitecture(): string {
  const name = arch()
  const names: Record<string, string | undefined> = { x64: 'amd64', ia32: '386' }
  return names[name] ?? name
}

// containerd platforms/database.go isKnownOS, isKnownArch: Go's names
const SYSTEMS = new Set(
  'aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris windows zos'.split(
    ' ',
  ),
)
const ARCHITECTURES = new Set(
  '386 amd64 amd64p32 arm armbe arm64 arm64be loong64 mips mipsle mips64 mips64le mips64p32 mips64p32le ppc ppc64 ppc64le riscv riscv64 s390 s390x sparc sparc64 wasm'.split(
    ' ',
  ),
)

/** `os`, `architecture` or `os/architecture[/variant]`. INVALID_ARGUMENT; a name alone must be a known one. */
export function parsePlatform(text: string): Platform {
  const [os, architecture, variant, ...rest] = text.toLowerCase().split('/')
  const isUnknown =
    architecture === undefined && !SYSTEMS.has(os ?? '') && !ARCHITECTURES.has(os ?? '')
  if (
    os === undefined ||
    isUnknown ||
    os === '' ||
    rest.length > 0 ||
    variant === '' ||
    architecture === ''
  ) {
    const reason =
      rest.length > 0
        ? 'cannot parse platform specifier'
        : 'unknown operating system or architecture'
    throw new EngineError('INVALID_ARGUMENT', `"${text}": ${reason}: invalid argument`)
  }
  if (architecture !== undefined) return { os, architecture, variant }
  if (SYSTEMS.has(os)) return { os, architecture: hostArchitecture() }
  return { os: 'linux', architecture: os }
}

function isSame(a: Platform, b: Platform): boolean {
  const isVariantOk = b.variant === undefined || a.variant === undefined || a.variant === b.variant
  return a.os === b.os && a.architecture === b.architecture && isVariantOk
}

function descriptor(value: unknown, what: string): Descriptor {
  const { mediaType, digest, size, annotations, platform } = object(value, what)
  if (typeof digest !== 'string' || !isDigest(digest)) {
    throw invalid(what, 'a digest is missing or not sha256')
  }
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
    throw invalid(what, 'a size is missing')
  }
  return {
    mediaType: typeof mediaType === 'string' ? mediaType : '',
    digest,
    size,
    annotations: annotations == null ? undefined : stringMap(object(annotations, what)),
    platform: platform == null ? undefined : toPlatform(object(platform, what)),
  }
}

function toPlatform(fields: Record<string, unknown>): Platform {
  const text = (name: string): string => (typeof fields[name] === 'string' ? fields[name] : '')
  const variant = text('variant')
  return {
    os: text('os'),
    architecture: text('architecture'),
    variant: variant === '' ? undefined : variant,
  }
}

function stringMap(fields: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(fields).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    ),
  )
}

function object(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>
  }
  throw invalid(what, 'it is no object')
}

function invalid(what: string, problem: string): EngineError {
  return new EngineError('INVALID_ARGUMENT', `invalid ${what}: ${problem}`)
}
