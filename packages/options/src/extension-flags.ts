import type { HostConfig } from '@ctr/api'
import type { ClientMachine } from './client-machine.ts'
import { parseDuration } from './duration.ts'
import { keyValueMap } from './environment.ts'
import type { Flag, FlagValues } from './flag.ts'
import { parseSecret } from './secret.ts'

type RestartPolicy = NonNullable<HostConfig['RestartPolicy']>

/** Options of `create` and `run` that Docker does not have. Most are Podman's. */
export const EXTENSION_FLAGS: readonly Flag[] = [
  {
    name: 'cgroup-conf',
    kind: 'list',
    value: 'map',
    help: "Write values to files of the container's cgroup (v2), e.g. memory.high=1073741824",
    check: checkKeyValue,
  },
  {
    name: 'health-on-failure',
    kind: 'string',
    help: 'What to do when the container becomes unhealthy (none, kill, restart, stop)',
    default: 'none',
  },
  { name: 'replace', kind: 'bool', help: 'Remove a container of the same name first' },
  {
    name: 'requires',
    kind: 'csv',
    help: 'Containers that are started before this one (name or name:healthy)',
  },
  {
    name: 'restart-delay',
    kind: 'string',
    help: 'Delay between restarts: first[,longest[,factor]], e.g. 1s,5m,2',
    check: parseRestartDelay,
  },
  {
    name: 'rootfs',
    kind: 'string',
    help: 'Run a directory instead of an image; with :O at its end it stays unchanged',
  },
  {
    name: 'secret',
    kind: 'list',
    help: 'Give the container a secret (NAME[,type=mount|env,target=…,uid=…,gid=…,mode=…])',
    check: parseSecret,
  },
  {
    name: 'uidmap',
    kind: 'list',
    help: 'Map user ids of a user namespace (inside:outside[:count]), with --userns map',
  },
  { name: 'gidmap', kind: 'list', help: 'Map group ids; as --uidmap without it' },
  { name: 'timeout', kind: 'int', help: 'Kill the container after so many seconds' },
]

export function hostExtensionsOf(flags: FlagValues, machine: ClientMachine): HostConfig {
  const timeout = flags.int('timeout') ?? 0
  if (timeout < 0) throw new Error('--timeout cannot be negative')
  if (flags.bool('replace') && flags.string('name') === '') {
    throw new Error('cannot replace container without --name being set')
  }
  return {
    ...(flags.isSet('cgroup-conf') ? { CgroupConf: keyValueMap(flags.list('cgroup-conf')) } : {}),
    ...(flags.isSet('health-on-failure')
      ? { HealthOnFailure: flags.string('health-on-failure') }
      : {}),
    ...(flags.isSet('requires') ? { Requires: [...flags.list('requires')] } : {}),
    ...(flags.isSet('rootfs') ? { Rootfs: absolute(flags.string('rootfs'), machine) } : {}),
    ...(flags.isSet('secret') ? { Secrets: flags.list('secret').map(parseSecret) } : {}),
    ...(flags.isSet('uidmap') ? { UidMap: [...flags.list('uidmap')] } : {}),
    ...(flags.isSet('gidmap') ? { GidMap: [...flags.list('gidmap')] } : {}),
    ...(timeout > 0 ? { RunTimeout: timeout } : {}),
  }
}

/** For the restart policy; empty without `--restart-delay`. */
export function restartDelayOf(flags: FlagValues): RestartPolicy {
  return flags.isSet('restart-delay') ? parseRestartDelay(flags.string('restart-delay')) : {}
}

export function parseRestartDelay(text: string): RestartPolicy {
  const [first = '', longest, factor, ...more] = text.split(',')
  if (more.length > 0) throw new Error(`invalid restart delay: ${text}`)
  const hundredths = factor === undefined ? undefined : Math.round(Number(factor) * 100)
  if (hundredths !== undefined && !(hundredths >= 100 && hundredths <= 100_000)) {
    throw new Error(`invalid restart delay: factor ${factor} must be at least 1`)
  }
  const delays = [first, longest].map((delay) =>
    delay === undefined ? undefined : parseDuration(delay),
  )
  if (delays.some((delay) => delay !== undefined && delay < 0)) {
    throw new Error('invalid restart delay: it cannot be negative')
  }
  const [MinimumDelay = 0, MaximumDelay] = delays
  return {
    MinimumDelay,
    ...(MaximumDelay === undefined ? {} : { MaximumDelay }),
    ...(hundredths === undefined ? {} : { DelayFactor: hundredths }),
  }
}

function checkKeyValue(text: string): void {
  if (!/^[^=]+=/.test(text)) throw new Error(`invalid value ${text}: must be file=value`)
}

function absolute(path: string, machine: ClientMachine): string {
  const isLayer = path.endsWith(':O')
  return `${machine.absolutePath(isLayer ? path.slice(0, -2) : path)}${isLayer ? ':O' : ''}`
}
