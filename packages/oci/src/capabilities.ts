/** Linux capabilities; the index is the number. capabilities(7), linux/capability.h */
export const CAPABILITIES = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_DAC_READ_SEARCH',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETPCAP',
  'CAP_LINUX_IMMUTABLE',
  'CAP_NET_BIND_SERVICE',
  'CAP_NET_BROADCAST',
  'CAP_NET_ADMIN',
  'CAP_NET_RAW',
  'CAP_IPC_LOCK',
  'CAP_IPC_OWNER',
  'CAP_SYS_MODULE',
  'CAP_SYS_RAWIO',
  'CAP_SYS_CHROOT',
  'CAP_SYS_PTRACE',
  'CAP_SYS_PACCT',
  'CAP_SYS_ADMIN',
  'CAP_SYS_BOOT',
  'CAP_SYS_NICE',
  'CAP_SYS_RESOURCE',
  'CAP_SYS_TIME',
  'CAP_SYS_TTY_CONFIG',
  'CAP_MKNOD',
  'CAP_LEASE',
  'CAP_AUDIT_WRITE',
  'CAP_AUDIT_CONTROL',
  'CAP_SETFCAP',
  'CAP_MAC_OVERRIDE',
  'CAP_MAC_ADMIN',
  'CAP_SYSLOG',
  'CAP_WAKE_ALARM',
  'CAP_BLOCK_SUSPEND',
  'CAP_AUDIT_READ',
  'CAP_PERFMON',
  'CAP_BPF',
  'CAP_CHECKPOINT_RESTORE',
] as const
export type Capability = (typeof CAPABILITIES)[number]

/** What a container gets when nothing is said: 0xa80425fb. */
export const DEFAULT_CAPABILITIES: readonly Capability[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FSETID',
  'CAP_FOWNER',
  'CAP_MKNOD',
  'CAP_NET_RAW',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETFCAP',
  'CAP_SETPCAP',
  'CAP_NET_BIND_SERVICE',
  'CAP_SYS_CHROOT',
  'CAP_KILL',
  'CAP_AUDIT_WRITE',
]

const ALL_BITS = 2n ** BigInt(CAPABILITIES.length) - 1n
const numbers = new Map<string, number>(CAPABILITIES.map((name, number) => [name, number]))

/** `chown`, `CAP_CHOWN` → `CAP_CHOWN`; undefined for what the kernel headers do not know. `ALL` is not a capability. */
export function parseCapability(text: string): Capability | undefined {
  const upper = text.toUpperCase()
  const name = upper.startsWith('CAP_') ? upper : `CAP_${upper}`
  return CAPABILITIES[numbers.get(name) ?? -1]
}

export function capabilityNumber(name: string): number | undefined {
  return numbers.get(name)
}

/**
 * Bit mask of capability names. Names that the kernel (up to `lastCapability`) does not know are left out, as runc
 * does with a warning.
 */
export function capabilityMask(
  names: readonly string[],
  lastCapability: number = CAPABILITIES.length - 1,
): bigint {
  let mask = 0n
  for (const name of names) {
    const number = numbers.get(name)
    if (number !== undefined && number <= lastCapability) mask |= 1n << BigInt(number)
  }
  return mask
}

/**
 * Docker's --cap-add and --cap-drop on the default set; `ALL` is understood in both lists. What is added by name stays,
 * even if it is dropped too. Throws RangeError for an unknown name, with Docker's text.
 */
export function selectCapabilities(o: {
  add?: readonly string[] | null | undefined
  drop?: readonly string[] | null | undefined
  privileged?: boolean | undefined
  /** In place of Docker's default set. */
  base?: readonly Capability[] | undefined
  /** Bit mask of what the host can give: HostFacts.heldCapabilities. Absent: everything. */
  available?: bigint | undefined
}): Capability[] {
  const { available = ALL_BITS } = o
  const known = CAPABILITIES.filter((_, number) => ((available >> BigInt(number)) & 1n) === 1n)
  if (o.privileged === true) return known
  const add = normalize(o.add ?? [], known)
  const drop = normalize(o.drop ?? [], known)
  if (add.has('ALL')) return known.filter((name) => !drop.has(name))
  if (drop.has('ALL')) return known.filter((name) => add.has(name))
  const chosen = (o.base ?? DEFAULT_CAPABILITIES).filter(
    (name) => known.includes(name) && !drop.has(name),
  )
  return [...chosen, ...known.filter((name) => add.has(name) && !chosen.includes(name))]
}

function normalize(names: readonly string[], known: readonly string[]): Set<string> {
  return new Set(
    names.map((text) => {
      const upper = text.trim().toUpperCase()
      if (upper === 'ALL') return upper
      const name = upper.startsWith('CAP_') ? upper : `CAP_${upper}`
      if (!numbers.has(name)) throw new RangeError(`unknown capability: ${JSON.stringify(name)}`)
      if (!known.some((one) => one === name)) {
        throw new RangeError(
          `capability not supported by your kernel or not available in the current environment: ${JSON.stringify(name)}`,
        )
      }
      return name
    }),
  )
}
