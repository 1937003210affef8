import {
  type DumpRequest,
  externalResources,
  inheritedResources,
  type RestoreRequest,
  STATUS_FD,
} from './requests.ts'

/**
 * criu's requests on its socket (protobuf; images/rpc.proto of criu), for what its command line has not: a terminal
 * whose master is outside (orphan_pts_master).
 */
type Value = number | boolean | string | Uint8Array

// criu_req, criu_req_type
const TYPE = 1
const OPTIONS = 2
const DUMP = 1
const RESTORE = 2
// criu_opts
const IMAGES_DIR_FD = 1
const PID = 2
const LEAVE_RUNNING = 3
const EXT_UNIX_SK = 4
const TCP_ESTABLISHED = 5
const SHELL_JOB = 7
const FILE_LOCKS = 8
const LOG_LEVEL = 9
const LOG_FILE = 10
const PAGE_SERVER = 11
const NOTIFY_SCRIPTS = 12
const ROOT = 13
const PARENT_IMAGES = 14
const TRACK_MEMORY = 15
const AUTO_DEDUP = 16
const RST_SIBLING = 26
const INHERIT_FD = 27
const MANAGE_CGROUPS_MODE = 34
const EXTERNAL = 37
const FREEZE_CGROUP = 44
const LAZY_PAGES = 48
const STATUS_FD_FIELD = 49
const ORPHAN_PTS_MASTER = 50
const LSM_PROFILE = 53
const LSM_MOUNT_CONTEXT = 63
const IMAGES_DIR = 68
// criu_cg_mode
const CGROUP_MODES = ['ignore', 'none', 'props', 'soft', 'full', 'strict']
/** "Everything", and no directory by descriptor. */
const DEBUG = 4
const NONE = -1

export function encodeDump(request: DumpRequest): Uint8Array {
  const { pid, leaveRunning, freezeCgroup } = request
  return message([
    [TYPE, DUMP],
    [
      OPTIONS,
      message([
        ...common(request, 'dump.log'),
        [PID, pid],
        [LEAVE_RUNNING, leaveRunning],
        ...externalResources(request).map((one): [number, Value] => [EXTERNAL, one]),
        ...(freezeCgroup === undefined ? [] : [[FREEZE_CGROUP, freezeCgroup] as [number, Value]]),
        ...memoryOptions(request),
      ]),
    ],
  ])
}

/** Where the memory goes, and what of it an earlier dump has. */
function memoryOptions({ pageServer, parentPath, statusFd }: DumpRequest): [number, Value][] {
  const fields: [number, Value][] = []
  if (pageServer !== undefined) {
    // criu_page_server_info
    const { address, port } = pageServer
    const server = message([
      [1, address],
      [2, port],
    ])
    fields.push([PAGE_SERVER, server])
  }
  if (statusFd !== undefined) fields.push([STATUS_FD_FIELD, STATUS_FD])
  if (parentPath !== undefined) fields.push([PARENT_IMAGES, parentPath], [TRACK_MEMORY, true])
  return fields
}

export function encodeRestore(
  request: RestoreRequest,
  files: { readonly root: string; readonly external: readonly string[] },
): Uint8Array {
  return message([
    [TYPE, RESTORE],
    [
      OPTIONS,
      message([
        ...common(request, 'restore.log'),
        [ROOT, files.root],
        [RST_SIBLING, true],
        ...lsmOptions(request),
        ...files.external.map((one): [number, Value] => [EXTERNAL, one]),
        ...inheritedResources(request).map(({ key, fd }): [number, Value] => [
          INHERIT_FD,
          message([
            [1, key],
            [2, fd],
          ]),
        ]),
      ]),
    ],
  ])
}

function lsmOptions({ lsmProfile, lsmMountContext }: RestoreRequest): [number, Value][] {
  return [
    ...(lsmProfile === undefined ? [] : [[LSM_PROFILE, lsmProfile] as [number, Value]]),
    ...(lsmMountContext === undefined
      ? []
      : [[LSM_MOUNT_CONTEXT, lsmMountContext] as [number, Value]]),
  ]
}

function common(request: DumpRequest | RestoreRequest, log: string): [number, Value][] {
  return [
    [IMAGES_DIR_FD, NONE],
    [IMAGES_DIR, request.imagesDir],
    [LOG_LEVEL, DEBUG],
    [LOG_FILE, log],
    [NOTIFY_SCRIPTS, true],
    [ORPHAN_PTS_MASTER, true],
    [MANAGE_CGROUPS_MODE, CGROUP_MODES.indexOf(request.manageCgroups ?? 'ignore')],
    [TCP_ESTABLISHED, request.tcpEstablished],
    [FILE_LOCKS, request.fileLocks],
    [EXT_UNIX_SK, request.extUnixSockets === true],
    [SHELL_JOB, request.shellJob === true],
    [AUTO_DEDUP, request.autoDedup === true],
    [LAZY_PAGES, request.lazyPages === true],
  ]
}

function message(fields: readonly (readonly [number, Value])[]): Uint8Array {
  return Buffer.concat(fields.map(([number, value]) => encodeField(number, value)))
}

const VARINT = 0
const BYTES = 2

function encodeField(number: number, value: Value): Buffer {
  const tag = (type: number): Buffer => varint(BigInt(number * 8 + type))
  if (typeof value === 'boolean') return Buffer.concat([tag(VARINT), varint(value ? 1n : 0n)])
  if (typeof value === 'number') {
    return Buffer.concat([tag(VARINT), varint(BigInt.asUintN(64, BigInt(value)))])
  }
  const bytes = Buffer.from(value as string)
  return Buffer.concat([tag(BYTES), varint(BigInt(bytes.length)), bytes])
}

function varint(value: bigint): Buffer {
  const bytes: number[] = []
  for (let rest = value; ; rest >>= 7n) {
    const low = Number(rest & 0x7fn)
    if (rest < 0x80n) return Buffer.from([...bytes, low])
    bytes.push(low | 0x80)
  }
}
