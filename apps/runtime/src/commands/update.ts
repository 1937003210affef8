import { readFileSync } from 'node:fs'
import { applyLimits, cgroupLimits, readHostFacts, updateScope } from '@ctr/linux'
import type { RuntimeResources } from '@ctr/oci'
import type { Command } from '../command.ts'
import { invalidArgument, wrongState } from '../errors.ts'
import type { Flag, Values } from '../flags.ts'
import { updateRdt } from '../intel-rdt.ts'
import { readRecord, writeRecord } from '../record.ts'
import { parseSize } from '../size.ts'
import { containerStatus } from '../status.ts'

const text = (name: string, help: string): Flag => ({ names: [name], kind: 'text', help })

export const command: Command = {
  summary: 'update container resource constraints',
  usage: '<container-id>',
  flags: [
    {
      names: ['resources', 'r'],
      kind: 'text',
      help: "path to the file containing the resources to update or '-' to read from the standard input",
    },
    text('blkio-weight', 'specifies per cgroup weight, range is from 10 to 1000'),
    text('cpu-period', 'CPU CFS period to be used for hardcapping (in usecs)'),
    text('cpu-quota', 'CPU CFS hardcap limit (in usecs)'),
    text('cpu-burst', 'CPU CFS hardcap burst limit (in usecs)'),
    text('cpu-share', 'CPU shares (relative weight vs. other containers)'),
    text('cpu-idle', 'set cgroup SCHED_IDLE or not, 0: default behavior, 1: SCHED_IDLE'),
    text('cpu-rt-period', 'CPU realtime period to be used for hardcapping (in usecs)'),
    text('cpu-rt-runtime', 'CPU realtime hardcap limit (in usecs)'),
    text('cpuset-cpus', 'CPU(s) to use'),
    text('cpuset-mems', 'memory node(s) to use'),
    text('kernel-memory', 'obsolete: ignored'),
    text('kernel-memory-tcp', 'obsolete: ignored'),
    text('memory', 'memory limit (in bytes)'),
    text('memory-reservation', 'memory reservation or soft_limit (in bytes)'),
    text('memory-swap', "total memory usage (memory + swap); set '-1' to enable unlimited swap"),
    text('pids-limit', 'maximum number of pids allowed in the container'),
    text('l3-cache-schema', 'the string of Intel RDT/CAT L3 cache schema'),
    text('mem-bw-schema', 'the string of Intel RDT/MBA memory bandwidth schema'),
  ],
  minArgs: 1,
  maxArgs: 1,
  run: async (context, { args, flags }) => {
    const record = readRecord(context.root, args[0] ?? '')
    if (containerStatus(context.root, record) === 'stopped') {
      throw wrongState('container not running')
    }
    const intelRdt = updateRdt(record, {
      l3CacheSchema: flags.text('l3-cache-schema') ?? '',
      memBwSchema: flags.text('mem-bw-schema') ?? '',
    })
    const file = flags.text('resources')
    const wanted = withSwap(file === undefined ? resourcesOf(flags) : readResources(file))
    const old = record.spec.linux?.resources ?? {}
    const merged = merge(old, wanted)
    const host = readHostFacts()
    // Only what is said is written; memory and swap go together, so they are looked up in the whole.
    const writes = cgroupLimits(withCompanions(wanted, merged), {
      version: host.cgroups.mode === 'v2' ? 2 : 1,
      kernel: host.kernel,
      hasSwapAccounting: host.hasSwapAccounting,
    })
    if (record.scope !== undefined) {
      await updateScope(record.scope, withCompanions(wanted, merged))
    }
    applyLimits(record.cgroups, record.cgroupPath, writes)
    writeRecord(context.root, {
      ...record,
      spec: { ...record.spec, linux: { ...record.spec.linux, intelRdt, resources: merged } },
    })
    return 0
  },
}

function readResources(path: string): RuntimeResources {
  try {
    return JSON.parse(readFileSync(path === '-' ? 0 : path, 'utf8')) as RuntimeResources
  } catch (error) {
    throw invalidArgument(error instanceof Error ? error.message : String(error))
  }
}

function resourcesOf(flags: Values): RuntimeResources {
  const number = (name: string): number | undefined => {
    const value = flags.text(name)
    if (value === undefined || value === '') return undefined
    if (!/^-?\d{1,19}$/.test(value)) {
      throw invalidArgument(
        `invalid value for ${name}: strconv.ParseInt: parsing ${JSON.stringify(value)}: invalid syntax`,
      )
    }
    return Number(value)
  }
  const size = (name: string): number | undefined => {
    const value = flags.text(name)
    if (value === undefined || value === '') return undefined
    if (value === '-1') return -1
    const bytes = parseSize(value)
    if (bytes === undefined) {
      throw invalidArgument(`invalid value for ${name}: invalid size: '${value}'`)
    }
    return bytes
  }
  return {
    memory: {
      limit: size('memory'),
      reservation: size('memory-reservation'),
      swap: size('memory-swap'),
    },
    cpu: {
      shares: number('cpu-share'),
      quota: number('cpu-quota'),
      period: number('cpu-period'),
      burst: number('cpu-burst'),
      idle: number('cpu-idle'),
      realtimeRuntime: number('cpu-rt-runtime'),
      realtimePeriod: number('cpu-rt-period'),
      cpus: flags.text('cpuset-cpus'),
      mems: flags.text('cpuset-mems'),
    },
    pids: { limit: number('pids-limit') },
    blockIO: { weight: number('blkio-weight') },
  }
}

/** Where 0 is a value of its own. */
const MEANT_ZEROS = new Set(['burst', 'idle'])

/** Zeros and absent values say nothing, as runc's JSON has them in every document; -1 lifts a limit. */
function said<T extends object>(values: T | undefined): Partial<T> {
  return Object.fromEntries(
    Object.entries(values ?? {}).filter(
      ([key, value]) =>
        value !== undefined &&
        value !== null &&
        value !== '' &&
        (value !== 0 || MEANT_ZEROS.has(key)),
    ),
  ) as Partial<T>
}

/** Unlimited memory without a word about swap is unlimited swap too, as runc has it. */
function withSwap(wanted: RuntimeResources): RuntimeResources {
  const { limit, swap } = wanted.memory ?? {}
  if (limit !== -1 || (swap ?? 0) !== 0) return wanted
  return { ...wanted, memory: { ...wanted.memory, swap: -1 } }
}

function merge(old: RuntimeResources, wanted: RuntimeResources): RuntimeResources {
  return {
    ...old,
    ...(wanted.unified === undefined ? {} : { unified: { ...old.unified, ...wanted.unified } }),
    memory: { ...old.memory, ...said(wanted.memory) },
    cpu: { ...old.cpu, ...said(wanted.cpu) },
    pids: { ...old.pids, ...said(wanted.pids) },
    blockIO: { ...old.blockIO, ...said(wanted.blockIO) },
  }
}

/** The writes of a change alone: of pairs that the kernel compares, both. */
function withCompanions(wanted: RuntimeResources, merged: RuntimeResources): RuntimeResources {
  const memory = said(wanted.memory)
  const cpu = said(wanted.cpu)
  const hasMemory = memory.limit !== undefined || memory.swap !== undefined
  const hasQuota = cpu.quota !== undefined || cpu.period !== undefined
  return {
    ...(wanted.unified === undefined ? {} : { unified: wanted.unified }),
    memory: {
      ...memory,
      ...(hasMemory ? { limit: merged.memory?.limit, swap: merged.memory?.swap } : {}),
    },
    cpu: {
      ...cpu,
      ...(hasQuota ? { quota: merged.cpu?.quota, period: merged.cpu?.period } : {}),
    },
    pids: said(wanted.pids),
    blockIO: said(wanted.blockIO),
  }
}
