import { existsSync, readFileSync } from 'node:fs'
import { arch, release } from 'node:os'
import {
  type CgroupHierarchy,
  type CgroupLayout,
  findHierarchy,
  readCgroupLayout,
} from './cgroup/layout.ts'

/** Everything about this host that a launch plan depends on. Read once at start: none of it changes while we run. */
export interface HostFacts {
  readonly cgroups: CgroupLayout
  /** Highest capability number that the kernel knows. */
  readonly lastCapability: number
  /** Bit mask of the capabilities that we hold: a container cannot have more. */
  readonly heldCapabilities: bigint
  readonly kernel: { readonly major: number; readonly minor: number }
  /** As Node names it: x64, arm64, … */
  readonly arch: string
  /** The v1 memory controller has memory.memsw.* (swapaccount=1); v2 always counts swap apart. */
  readonly hasSwapAccounting: boolean
  /** The v1 cpu controller has cpu.rt_*: a kernel with CONFIG_RT_GROUP_SCHED. */
  readonly hasRealtimeGroups: boolean
  /** Weights of block I/O: v2's, or v1's of CFQ (kernels before 5.0) or BFQ. */
  readonly hasBlockIoWeight: boolean
  /** Numbers of the /sys/fs/cgroup/cpuset root: `0-1`, `0`. */
  readonly onlineCpus: string
  readonly onlineMems: string
  readonly appArmor: boolean
  readonly seLinux: boolean
  /** /proc/kcore exists: then /dev/core links to it. */
  readonly hasKcore: boolean
  /** / is a ramfs or the first mount of the boot, where pivot_root(2) fails. */
  readonly rootIsRamfs: boolean
}

export function readHostFacts(): HostFacts {
  const cgroups = readCgroupLayout()
  const memory = findHierarchy(cgroups, 'memory')
  const [major = 0, minor = 0] = release()
    .split('.')
    .map((part) => Number.parseInt(part, 10))
  return {
    cgroups,
    lastCapability: Number(readLine('/proc/sys/kernel/cap_last_cap') ?? 40),
    heldCapabilities: BigInt(
      `0x${/^CapPrm:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'}`,
    ),
    kernel: { major, minor },
    arch: arch(),
    hasSwapAccounting:
      memory !== undefined &&
      (memory.version === 2 ||
        readLine(`${memory.mountpoint}/memory.memsw.limit_in_bytes`) !== undefined),
    hasRealtimeGroups: hasFile(findHierarchy(cgroups, 'cpu'), 'cpu.rt_runtime_us'),
    hasBlockIoWeight: hasBlockIoWeight(
      findHierarchy(cgroups, 'blkio') ?? findHierarchy(cgroups, 'io'),
    ),
    onlineCpus: readLine('/sys/devices/system/cpu/online') ?? '0',
    onlineMems: readLine('/sys/devices/system/node/online') ?? '0',
    appArmor: readLine('/sys/module/apparmor/parameters/enabled') === 'Y',
    seLinux: readLine('/sys/fs/selinux/enforce') !== undefined,
    hasKcore: existsSync('/proc/kcore'),
    rootIsRamfs: /^\S+ \S+ \S+ \/ \/ .* - (rootfs|ramfs) /m.test(
      readFileSync('/proc/self/mountinfo', 'utf8'),
    ),
  }
}

function hasBlockIoWeight(hierarchy: CgroupHierarchy | undefined): boolean {
  if (hierarchy?.version === 2) return true
  // BFQ's weight is in every cgroup but the root, its counters are in the root too.
  return hasFile(hierarchy, 'blkio.weight') || hasFile(hierarchy, 'blkio.bfq.io_service_bytes')
}

function hasFile(hierarchy: CgroupHierarchy | undefined, name: string): boolean {
  return hierarchy !== undefined && existsSync(`${hierarchy.mountpoint}/${name}`)
}

function readLine(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return undefined // absent: a fact like any other
  }
}
