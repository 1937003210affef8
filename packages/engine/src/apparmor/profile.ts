/** The name of the profile of containers for which nothing else is said. */
export const DEFAULT_PROFILE = 'ctr-default'

export interface ProfileFacts {
  /** /etc/apparmor.d/tunables/global and abstractions/base, which distributions have. */
  readonly hasTunables: boolean
  readonly hasBase: boolean
  /** The profile that we run under; `unconfined` as a rule. */
  readonly own: string
}

/** Docker's profile, under our name. moby profiles/apparmor/template.go */
export function profileText({ hasTunables, hasBase, own }: ProfileFacts): string {
  return `${hasTunables ? '#include <tunables/global>' : '@{PROC}=/proc/'}

profile ${DEFAULT_PROFILE} flags=(attach_disconnected,mediate_deleted) {
${hasBase ? '  #include <abstractions/base>' : ''}
  network,
  capability,
  file,
  umount,

  # Processes of the host, and of the engine, may send signals to those of a container; these to each other.
  signal (receive) peer=unconfined,
  signal (receive) peer=${quoted(own)},
  signal (send,receive) peer=${DEFAULT_PROFILE},

  # Files directly in /proc, and all but /proc/PID/** and /proc/sys/**, are not written to.
  deny @{PROC}/* w,
  deny @{PROC}/{[^1-9],[^1-9][^0-9],[^1-9s][^0-9y][^0-9s],[^1-9][^0-9][^0-9][^0-9/]*}/** w,
  # Of /proc/sys only /proc/sys/kernel/shm*, which is of the IPC namespace.
  deny @{PROC}/sys/[^k]** w,
  deny @{PROC}/sys/kernel/{?,??,[^s][^h][^m]**} w,
  deny @{PROC}/sysrq-trigger rwklx,
  deny @{PROC}/kcore rwklx,

  deny mount,

  deny /sys/[^f]*/** wklx,
  deny /sys/f[^s]*/** wklx,
  deny /sys/fs/[^c]*/** wklx,
  deny /sys/fs/c[^g]*/** wklx,
  deny /sys/fs/cg[^r]*/** wklx,
  deny /sys/firmware/** rwklx,
  deny /sys/devices/virtual/powercap/** rwklx,
  deny /sys/kernel/security/** rwklx,

  # ps in a container.
  ptrace (trace,read,tracedby,readby) peer=${DEFAULT_PROFILE},
}
`
}

function quoted(name: string): string {
  return /^[\w./-]+$/.test(name) ? name : JSON.stringify(name)
}

/**
 * What a container runs under; empty: nothing, also on a host without AppArmor, where a profile means nothing, as in
 * Docker. `asked` is that of --security-opt.
 */
export function chooseProfile(o: {
  readonly hasAppArmor: boolean
  readonly asked: string
  readonly isPrivileged: boolean
  readonly isDefaultLoaded: () => boolean
}): string {
  if (!o.hasAppArmor) return ''
  if (o.asked !== '') return o.asked
  if (o.isPrivileged) return 'unconfined'
  return o.isDefaultLoaded() ? DEFAULT_PROFILE : ''
}
