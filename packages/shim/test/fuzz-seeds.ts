/**
 * Seeds for the fuzzer of the decoder: a program with each operation of the table, so that new ones are reached at once.
 * `node test/fuzz-seeds.ts DIRECTORY`, then in native/ `make fuzz && build/fuzz/decode -max_total_time=60 fuzz/corpus DIRECTORY`.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { encodeProgram } from '../src/encode.ts'
import { type FieldKind, OPS, type Op, type OpName, type Program } from '../src/ops.ts'

const VALUES: Readonly<Record<FieldKind, unknown>> = {
  u32: 6,
  u64: 1n,
  str: '/a/b',
  strs: ['a', ''],
  bytes: Buffer.from('x'),
}

function sized(length: number): Buffer {
  const bytes = Buffer.alloc(length)
  bytes.writeUInt32LE(length)
  return bytes
}

/** What a record must be beyond its shape. decode.c, check_values */
const SPECIAL: Readonly<Partial<Record<OpName, object>>> = {
  netlink: { message: sized(16), pid_offset: 4 },
  device_bpf: { insns: Buffer.alloc(16) },
  seccomp: { filter: Buffer.alloc(16) },
  sched_attr: { attr: sized(48) },
  set_mempolicy: { nodes: Buffer.alloc(8) },
  user: { groups: Buffer.alloc(8) },
  oom_watch: { version: 2 },
  handover: { flags: 0 },
  label: { name: 'exec' },
  child_proc: { name: 'oom_score_adj' },
}

function sample(name: OpName): Op {
  const { side, fields } = OPS[name]
  const values = Object.entries(fields).map(([field, kind]) => [field, VALUES[kind]])
  const own = { op: name, ...(side === 'any' ? { side: 'child' } : {}) }
  return { ...own, ...Object.fromEntries(values), ...SPECIAL[name] } as unknown as Op
}

function programWith(name: OpName): Program {
  const op = sample(name)
  const clone = sample('clone')
  const end = [clone, sample('exec')]
  switch (name) {
    case 'clone':
      return [op]
    case 'runtime_dir':
    case 'handover':
      return [op, ...end]
    case 'exec':
    case 'wait_start':
      return [sample('runtime_dir'), clone, op, ...(name === 'exec' ? [] : [sample('exec')])]
    case 'pause':
      return [sample('handover'), op, ...end]
    case 'gate':
      return [sample('handover'), clone, op, sample('exec')]
    case 'pidfd_socket':
      return [sample('handover'), clone, op, sample('exec')]
    case 'console_socket':
    case 'exec_fifo':
      return [sample('handover'), op, ...end]
    case 'write_pid':
    case 'id_map':
    case 'child_proc':
    case 'child_tree':
    case 'net_device':
      return [clone, op]
    default:
      return OPS[name].side === 'host' ? [op] : [clone, op]
  }
}

const [directory = ''] = process.argv.slice(2)
mkdirSync(directory, { recursive: true })
for (const name of Object.keys(OPS) as OpName[]) {
  writeFileSync(join(directory, name), encodeProgram(programWith(name)))
}
