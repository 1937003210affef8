import {
  BIND_ATTR_RECURSIVE,
  BIND_CLEAR_REST,
  BIND_LOCKED,
  BIND_NO_CREATE,
  BIND_RECURSIVE,
  BIND_SOURCE_BELOW_TARGET,
  BIND_SOURCE_IN_ROOT,
  BIND_SPREAD_RECURSIVE,
  NO_SLOT,
  OPS,
  type Op,
  type OpName,
  type Program,
} from '../ops.ts'
import { CLONE, MOUNT_ATTR, MS, S_IF } from './constants.ts'

/**
 * A launch program as text, one operation per line, in the manner of strace:
 * `14 child mount("proc", "/proc", "proc", MS_NOSUID|MS_NODEV|MS_NOEXEC, "")`. A `?` after the name marks an operation
 * whose failure is only a warning, a `&` one of the host that runs while the child does what stands before it.
 */
export function explainProgram(program: Program): string {
  const width = String(program.length).length
  return program
    .map((op, index) => {
      const number = String(index + 1).padStart(width)
      const mark = (op.optional === true ? '?' : '') + (op.beside === true ? '&' : '')
      return `${number} ${sideOf(op).padEnd(5)} ${op.op}${mark}(${argumentsOf(op).join(', ')})\n`
    })
    .join('')
}

function sideOf(op: Op): string {
  const { side } = OPS[op.op]
  return side === 'any' ? (op.side ?? 'child') : side
}

type Explain = { readonly [N in OpName]?: (op: Op & { readonly op: N }) => string[] }

/** Operations that read better than their fields in the order of the table: as the system call, where there is one. */
const EXPLAIN: Explain = {
  mount: (op) => [
    text(op.source),
    text(op.target),
    text(op.type),
    names(op.flags, MS),
    text(op.data),
  ],
  overlay: (op) => [text('overlay'), text(op.target), text(op.data), `in ${text(op.base)}`],
  bind: (op) => [
    text(op.source),
    text(op.target),
    names(BigInt(op.flags), BIND),
    names(op.attr, MOUNT_ATTR),
    ...(op.clear === 0n ? [] : [`clear ${names(op.clear, MOUNT_ATTR)}`]),
    names(op.propagation, MS),
  ],
  tree: explainTree,
  child_tree: explainTree,
  overlay_tree: (op) => [
    `slot ${op.slot}`,
    text('overlay'),
    text(op.data),
    `in ${text(op.base)}`,
    `ids of ${show(op.mapped)} by slot ${op.users}`,
  ],
  attach: (op) => [
    `slot ${op.slot}`,
    text(op.target === '' ? '/' : op.target),
    names(BigInt(op.flags), BIND),
    names(op.attr, MOUNT_ATTR),
    ...(op.clear === 0n ? [] : [`clear ${names(op.clear, MOUNT_ATTR)}`]),
    names(op.propagation, MS),
  ],
  propagation: (op) => [text(op.path), names(op.flags, MS)],
  clone: (op) => [names(op.flags, CLONE), text(op.cgroup)],
  unshare: (op) => [names(op.flags, CLONE)],
  enter: (op) => [names(op.flags, CLONE)],
  setns: (op) => [`slot ${op.slot}`, names(op.type, CLONE)],
  clone_in: (op) => [`slot ${op.slot}`, names(op.type, CLONE)],
  mknod: (op) => [text(op.path), nodeMode(op), `makedev(${op.major}, ${op.minor})`, owner(op)],
  mkdir: (op) => [text(op.path), octal(op.mode), owner(op)],
  // Secrets: not for every reader.
  file: (op) => [text(op.path), `${op.data.length} bytes`, octal(op.mode), owner(op)],
  umask: (op) => [octal(op.mask)],
  user: (op) => [`uid ${op.uid}`, `gid ${op.gid}`, `groups [${groupIds(op.groups).join(', ')}]`],
  bounding: (op) => [hex(op.mask)],
  capabilities: (op) => [
    `effective ${hex(op.effective)}`,
    `permitted ${hex(op.permitted)}`,
    `inheritable ${hex(op.inheritable)}`,
    `ambient ${hex(op.ambient)}`,
  ],
  seccomp: (op) => [`${op.filter.length / 8} instructions`, hex(op.flags)],
  device_bpf: (op) => [text(op.path), `${op.insns.length / 8} instructions`],
  netlink: (op) => [`${op.message.length} bytes`, `pid at ${op.pid_offset}`],
}

function explainTree(op: {
  readonly slot: number
  readonly path: string
  readonly flags: number
  readonly users: number
}): string[] {
  return [
    `slot ${op.slot}`,
    text(op.path),
    names(BigInt(op.flags), BIND),
    ...(op.users === NO_SLOT ? [] : [`ids by slot ${op.users}`]),
  ]
}

function argumentsOf(op: Op): string[] {
  const explain = EXPLAIN[op.op] as ((op: Op) => string[]) | undefined
  return explain === undefined ? fieldsOf(op) : explain(op)
}

const BIND = {
  BIND_RECURSIVE,
  BIND_ATTR_RECURSIVE,
  BIND_CLEAR_REST,
  BIND_LOCKED,
  BIND_NO_CREATE,
  BIND_SOURCE_BELOW_TARGET,
  BIND_SOURCE_IN_ROOT,
  BIND_SPREAD_RECURSIVE,
}

/** All fields in the order of the table. */
function fieldsOf(op: Op): string[] {
  const values = op as unknown as Readonly<Record<string, unknown>>
  return Object.keys(OPS[op.op].fields).map((field) => show(values[field]))
}

function show(value: unknown): string {
  if (typeof value === 'string') return text(value)
  if (Array.isArray(value)) return `[${value.map(show).join(', ')}]`
  if (value instanceof Uint8Array) return text(Buffer.from(value).toString())
  return String(value)
}

const MAX_TEXT = 4096

/** Quoted, with control characters escaped, so that one operation is always one line. */
function text(value: string): string {
  if (value.length <= MAX_TEXT) return JSON.stringify(value)
  return `${JSON.stringify(value.slice(0, MAX_TEXT))}...`
}

/** `MS_NOSUID|MS_NODEV`; bits without a name in hexadecimal; 0 for none. */
function names(bits: bigint, table: Readonly<Record<string, bigint | number>>): string {
  const known = Object.entries(table).filter(([, bit]) => (bits & BigInt(bit)) !== 0n)
  const rest = known.reduce((left, [, bit]) => left & ~BigInt(bit), bits)
  const words = [...known.map(([name]) => name), ...(rest === 0n ? [] : [hex(rest)])]
  return words.join('|') || '0'
}

function nodeMode({ type, mode }: { type: number; mode: number }): string {
  const name = Object.entries(S_IF).find(([, value]) => value === type)?.[0] ?? octal(type)
  return `${name}|${octal(mode)}`
}

function owner({ uid, gid }: { uid: number; gid: number }): string {
  return `${uid}:${gid}`
}

function groupIds(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Array.from({ length: bytes.byteLength / 4 }, (_, index) => view.getUint32(index * 4, true))
}

function hex(bits: bigint | number): string {
  return `0x${bits.toString(16)}`
}

function octal(mode: number): string {
  return `0${mode.toString(8)}`
}
