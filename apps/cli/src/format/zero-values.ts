import { EMPTY_STRUCT, markAsMap, NIL_MAP, NIL_SLICE } from '@ctr/template'

/**
 * What Go's types give a template where a document has null, or leaves a field out (`omitempty`): scripts count on
 * `{{len .Config.ExposedPorts}}` being 0 and on `{{.HostConfig.Tmpfs}}` being `map[]`.
 */
interface Zeros {
  readonly slices?: readonly string[]
  readonly maps?: readonly string[]
  /** Maps with nothing in their values. */
  readonly sets?: readonly string[]
  readonly strings?: readonly string[]
  readonly numbers?: readonly string[]
  readonly flags?: readonly string[]
  readonly pointers?: readonly string[]
}

const CONFIG: Zeros = {
  slices: ['Env', 'Cmd', 'Entrypoint', 'OnBuild', 'Shell'],
  maps: ['Labels'],
  sets: ['ExposedPorts', 'Volumes'],
  strings: ['MacAddress', 'StopSignal'],
  flags: ['ArgsEscaped', 'NetworkDisabled'],
  pointers: ['Healthcheck', 'StopTimeout'],
}

const HOST_CONFIG: Zeros = {
  slices: [
    'Binds',
    'BlkioDeviceReadBps',
    'BlkioDeviceReadIOps',
    'BlkioDeviceWriteBps',
    'BlkioDeviceWriteIOps',
    'BlkioWeightDevice',
    'CapAdd',
    'CapDrop',
    'DeviceCgroupRules',
    'DeviceRequests',
    'Devices',
    'Dns',
    'DnsOptions',
    'DnsSearch',
    'ExtraHosts',
    'GroupAdd',
    'Links',
    'MaskedPaths',
    'Mounts',
    'ReadonlyPaths',
    'SecurityOpt',
    'Ulimits',
    'VolumesFrom',
  ],
  maps: ['Annotations', 'PortBindings', 'StorageOpt', 'Sysctls', 'Tmpfs'],
  pointers: ['Init', 'MemorySwappiness', 'OomKillDisable', 'PidsLimit'],
}

const CONTAINER: Zeros = {
  slices: ['Args', 'ExecIDs', 'Mounts'],
  pointers: ['ImageManifestDescriptor', 'SizeRootFs', 'SizeRw'],
}

const MOUNT: Zeros = { strings: ['Driver', 'Name', 'Propagation'] }

const IMAGE: Zeros = {
  slices: ['RepoDigests', 'RepoTags'],
  strings: ['Author', 'Comment', 'Container', 'DockerVersion', 'OsVersion', 'Parent', 'Variant'],
  pointers: ['Descriptor', 'Manifests'],
}

const VOLUME: Zeros = {
  maps: ['Labels', 'Options', 'Status'],
  pointers: ['ClusterVolume', 'UsageData'],
}

const NETWORK: Zeros = {
  slices: ['Peers'],
  maps: ['Containers', 'Labels', 'Options', 'Services'],
}

const ENDPOINT: Zeros = {
  slices: ['Aliases', 'DNSNames', 'Links'],
  maps: ['DriverOpts'],
  strings: ['MacAddress'],
  numbers: ['GwPriority'],
  pointers: ['IPAMConfig'],
}

/** Changes the document; what it adds is not seen by `json`. */
export function addZeroValues(document: unknown): void {
  if (!isObject(document)) return
  add(document['GraphDriver'], { maps: ['Data'] })
  if (isObject(document['HostConfig'])) addToContainer(document)
  else if (isObject(document['RootFS'])) {
    add(document, IMAGE)
    add(document['Config'], CONFIG)
  } else if ('Mountpoint' in document) add(document, VOLUME)
  else if (isObject(document['IPAM'])) {
    add(document, NETWORK)
    add(document['IPAM'], { slices: ['Config'], maps: ['Options'] })
  }
}

function addToContainer(document: Record<string, unknown>): void {
  add(document, CONTAINER)
  add(document['Config'], CONFIG)
  add(document['HostConfig'], HOST_CONFIG)
  add(document['State'], { pointers: ['Health'] })
  for (const mount of listOf(document['Mounts'])) add(mount, MOUNT)
  const network = document['NetworkSettings']
  if (!isObject(network)) return
  add(network, {
    slices: ['SecondaryIPAddresses', 'SecondaryIPv6Addresses'],
    maps: ['Networks', 'Ports'],
  })
  for (const endpoint of Object.values(network['Networks'] ?? {})) add(endpoint, ENDPOINT)
}

function add(target: unknown, zeros: Zeros): void {
  if (!isObject(target)) return
  for (const name of zeros.slices ?? []) addOne(target, name, NIL_SLICE)
  for (const name of [...(zeros.maps ?? []), ...(zeros.sets ?? [])]) addMap(target, name)
  for (const name of zeros.sets ?? []) {
    const set = target[name]
    if (isObject(set)) for (const key of Object.keys(set)) set[key] = EMPTY_STRUCT
  }
  for (const name of zeros.strings ?? []) addOne(target, name, '')
  for (const name of zeros.numbers ?? []) addOne(target, name, 0)
  for (const name of zeros.flags ?? []) addOne(target, name, false)
  for (const name of zeros.pointers ?? []) addOne(target, name, null)
}

function addMap(target: Record<string, unknown>, name: string): void {
  addOne(target, name, NIL_MAP)
  const value = target[name]
  if (isObject(value) && value !== NIL_MAP) markAsMap(value)
}

/** A field that the document has stays one that is printed. */
function addOne(target: Record<string, unknown>, name: string, value: unknown): void {
  const had = Object.hasOwn(target, name)
  if (had && target[name] !== null) return
  Object.defineProperty(target, name, { value, enumerable: had, writable: true })
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : []
}
