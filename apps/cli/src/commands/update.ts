import type { ContainerUpdate } from '@ctr/api'
import { updateContainer } from '@ctr/client'
import {
  type Flag,
  type FlagValues,
  parseBytes,
  parseCpus,
  parseRestartPolicy,
  parseSwap,
} from '@ctr/options'
import { type Command, ExitError } from '../command.ts'
import { printLine } from '../output/write.ts'
import { eachTarget } from '../targets.ts'

const FLAGS: readonly Flag[] = [
  {
    name: 'blkio-weight',
    kind: 'uint16',
    help: 'Block IO (relative weight), between 10 and 1000, or 0 to disable',
  },
  { name: 'cpu-period', kind: 'int', help: 'Limit CPU CFS (Completely Fair Scheduler) period' },
  { name: 'cpu-quota', kind: 'int', help: 'Limit CPU CFS (Completely Fair Scheduler) quota' },
  { name: 'cpu-rt-period', kind: 'int', help: 'Limit the CPU real-time period in microseconds' },
  { name: 'cpu-rt-runtime', kind: 'int', help: 'Limit the CPU real-time runtime in microseconds' },
  { name: 'cpu-shares', short: 'c', kind: 'int', help: 'CPU shares (relative weight)' },
  { name: 'cpus', kind: 'decimal', help: 'Number of CPUs' },
  { name: 'cpuset-cpus', kind: 'string', help: 'CPUs in which to allow execution (0-3, 0,1)' },
  { name: 'cpuset-mems', kind: 'string', help: 'MEMs in which to allow execution (0-3, 0,1)' },
  { name: 'kernel-memory', kind: 'bytes', help: 'Kernel memory limit (deprecated)', hidden: true },
  { name: 'memory', short: 'm', kind: 'bytes', help: 'Memory limit' },
  { name: 'memory-reservation', kind: 'bytes', help: 'Memory soft limit' },
  {
    name: 'memory-swap',
    kind: 'string',
    value: 'bytes',
    check: parseSwap,
    help: 'Swap limit equal to memory plus swap: -1 to enable unlimited swap',
  },
  { name: 'pids-limit', kind: 'int', help: 'Tune container pids limit (set -1 for unlimited)' },
  { name: 'restart', kind: 'string', help: 'Restart policy to apply when a container exits' },
]

export const command: Command = {
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Update configuration of one or more containers',
  aliases: ['ctr container update', 'ctr update'],
  flags: FLAGS,
  args: { min: 1 },
  examples: [
    {
      text: 'Less memory for a running container',
      command: 'ctr update -m 256m --memory-swap 512m web',
    },
    { text: 'Start it at boot', command: 'ctr update --restart unless-stopped web' },
  ],
  async run({ client }, { flags, args }) {
    if (!FLAGS.some(({ name }) => flags.isSet(name))) {
      throw new ExitError(1, 'you must provide one or more flags when using this command')
    }
    const body = updateBody(flags)
    const told: string[] = []
    await eachTarget(args, async (ref) => {
      const { Warnings: warnings } = await updateContainer(client, ref, body)
      // After the names of all, on stdout: as docker does.
      told.push(...(warnings ?? []))
    })
    if (told.length > 0) printLine(told.join('\n'))
  },
}

function updateBody(flags: FlagValues): ContainerUpdate {
  const bytes = (name: string): number => (flags.isSet(name) ? parseBytes(flags.string(name)) : 0)
  const restart = flags.string('restart')
  // Docker's zero: not to be changed.
  const pidsLimit = flags.int('pids-limit') ?? 0
  return {
    BlkioWeight: flags.int('blkio-weight') ?? 0,
    CpuPeriod: flags.int('cpu-period') ?? 0,
    CpuQuota: flags.int('cpu-quota') ?? 0,
    CpuRealtimePeriod: flags.int('cpu-rt-period') ?? 0,
    CpuRealtimeRuntime: flags.int('cpu-rt-runtime') ?? 0,
    CpuShares: flags.int('cpu-shares') ?? 0,
    NanoCpus: flags.isSet('cpus') ? parseCpus(flags.string('cpus')) : 0,
    CpusetCpus: flags.string('cpuset-cpus'),
    CpusetMems: flags.string('cpuset-mems'),
    Memory: bytes('memory'),
    MemoryReservation: bytes('memory-reservation'),
    MemorySwap: flags.isSet('memory-swap') ? parseSwap(flags.string('memory-swap')) : 0,
    KernelMemory: bytes('kernel-memory'),
    ...(pidsLimit === 0 ? {} : { PidsLimit: pidsLimit }),
    RestartPolicy: restart === '' ? {} : parseRestartPolicy(restart),
  }
}
