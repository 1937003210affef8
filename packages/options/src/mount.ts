import type { Mount } from '@ctr/api'
import { parseBytes } from './bytes.ts'
import type { ClientMachine } from './client-machine.ts'
import { parseCsv } from './csv.ts'
import { parseBool } from './flag.ts'

type Paths = Pick<ClientMachine, 'absolutePath'>

/** `--mount type=bind,src=/a,dst=/b,readonly` (docker/cli opts/mount.go). Throws an Error with Docker's text. */
export function parseMount(text: string, paths: Paths): Mount {
  const mount: MutableMount = { Type: 'volume' }
  for (const field of parseCsv(text)) setField(mount, field, paths)
  const type = mount.Type ?? ''
  if (type === '') throw new Error('type is required')
  if (mount.VolumeOptions !== undefined && type !== 'volume') throw mixed('volume', type)
  if (mount.ImageOptions !== undefined && type !== 'image') throw mixed('image', type)
  if (mount.BindOptions !== undefined && type !== 'bind') throw mixed('bind', type)
  if (mount.TmpfsOptions !== undefined && type !== 'tmpfs') throw mixed('tmpfs', type)
  if ((mount.Target ?? '') === '') throw new Error('target is required')
  checkRecursive(mount)
  return mount
}

/** For a table of flags: whether it can be read, whatever the current directory is. */
export function checkMount(text: string): void {
  parseMount(text, { absolutePath: (path) => path })
}

type MutableMount = { -readonly [K in keyof Mount]: Mount[K] }

function mixed(kind: string, type: string): Error {
  return new Error(`cannot mix '${kind}-*' options with mount type '${type}'`)
}

function setField(mount: MutableMount, field: string, paths: Paths): void {
  const equals = field.indexOf('=')
  const key = (equals < 0 ? field : field.slice(0, equals)).toLowerCase()
  const value = equals < 0 ? undefined : field.slice(equals + 1)
  if (value === undefined && !VALUELESS.has(key)) {
    throw new Error(`invalid field '${field}' must be a key=value pair`)
  }
  const text = value ?? 'true'
  switch (key) {
    case 'type':
      mount.Type = text.toLowerCase()
      return
    case 'source':
    case 'src':
      mount.Source =
        text === '.' || text.startsWith('./') || text.startsWith('../')
          ? paths.absolutePath(text)
          : text
      return
    case 'target':
    case 'dst':
    case 'destination':
      mount.Target = text
      return
    case 'readonly':
    case 'ro':
      mount.ReadOnly = boolean(key, text)
      return
    case 'consistency':
      mount.Consistency = text.toLowerCase()
      return
    case 'bind-propagation':
      mount.BindOptions = { ...mount.BindOptions, Propagation: text.toLowerCase() }
      return
    case 'bind-nonrecursive':
      mount.BindOptions = { ...mount.BindOptions, NonRecursive: boolean(key, text) }
      return
    case 'bind-recursive':
      mount.BindOptions = { ...mount.BindOptions, ...recursive(key, text) }
      return
    case 'bind-create-src':
      mount.BindOptions = { ...mount.BindOptions, CreateMountpoint: boolean(key, text) }
      return
    case 'volume-subpath':
      mount.VolumeOptions = { ...mount.VolumeOptions, Subpath: text }
      return
    case 'volume-nocopy':
      mount.VolumeOptions = { ...mount.VolumeOptions, NoCopy: boolean(key, text) }
      return
    case 'volume-label':
      mount.VolumeOptions = {
        ...mount.VolumeOptions,
        Labels: { ...mount.VolumeOptions?.Labels, ...keyValue(text) },
      }
      return
    case 'volume-driver':
      mount.VolumeOptions = {
        ...mount.VolumeOptions,
        DriverConfig: { ...mount.VolumeOptions?.DriverConfig, Name: text },
      }
      return
    case 'volume-opt': {
      const driver = mount.VolumeOptions?.DriverConfig
      mount.VolumeOptions = {
        ...mount.VolumeOptions,
        DriverConfig: { ...driver, Options: { ...driver?.Options, ...keyValue(text) } },
      }
      return
    }
    case 'image-subpath':
      mount.ImageOptions = { ...mount.ImageOptions, Subpath: text }
      return
    case 'tmpfs-size':
      mount.TmpfsOptions = { ...mount.TmpfsOptions, SizeBytes: size(key, text) }
      return
    case 'tmpfs-mode':
      if (!/^[0-7]{1,11}$/.test(text)) throw new Error(`invalid value for ${key}: ${text}`)
      mount.TmpfsOptions = { ...mount.TmpfsOptions, Mode: Number.parseInt(text, 8) }
      return
    default:
      throw new Error(`unexpected key '${key}' in '${field}'`)
  }
}

const VALUELESS = new Set([
  'readonly',
  'ro',
  'volume-nocopy',
  'bind-nonrecursive',
  'bind-create-src',
])

function boolean(key: string, text: string): boolean {
  const value = parseBool(text)
  if (value === undefined) throw new Error(`invalid value for ${key}: ${text}`)
  return value
}

function size(key: string, text: string): number {
  try {
    return parseBytes(text)
  } catch {
    throw new Error(`invalid value for ${key}: ${text}`)
  }
}

function keyValue(text: string): Record<string, string> {
  const equals = text.indexOf('=')
  return equals < 0 ? { [text]: '' } : { [text.slice(0, equals)]: text.slice(equals + 1) }
}

function recursive(key: string, text: string): NonNullable<Mount['BindOptions']> {
  switch (text) {
    case 'enabled':
      return {}
    case 'disabled':
      return { NonRecursive: true }
    case 'writable':
      return { ReadOnlyNonRecursive: true }
    case 'readonly':
      return { ReadOnlyForceRecursive: true }
    default:
      throw new Error(
        `invalid value for ${key}: ${text} (must be "enabled", "disabled", "writable", or "readonly")`,
      )
  }
}

function checkRecursive(mount: Mount): void {
  const { BindOptions: bind } = mount
  if (bind?.ReadOnlyNonRecursive === true && mount.ReadOnly !== true) {
    throw new Error(
      "option 'bind-recursive=writable' requires 'readonly' to be specified in conjunction",
    )
  }
  if (bind?.ReadOnlyForceRecursive !== true) return
  if (mount.ReadOnly !== true) {
    throw new Error(
      "option 'bind-recursive=readonly' requires 'readonly' to be specified in conjunction",
    )
  }
  if (bind.Propagation !== 'rprivate') {
    throw new Error(
      "option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in conjunction",
    )
  }
}
