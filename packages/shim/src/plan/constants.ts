/** Numbers of the kernel's interface, by name: plans are made with them and `explainProgram` prints them. */

/** clone(2), setns(2), unshare(2). linux/sched.h */
export const CLONE = {
  CLONE_NEWTIME: 0x80n,
  CLONE_NEWNS: 0x20000n,
  CLONE_NEWCGROUP: 0x2000000n,
  CLONE_NEWUTS: 0x4000000n,
  CLONE_NEWIPC: 0x8000000n,
  CLONE_NEWUSER: 0x10000000n,
  CLONE_NEWPID: 0x20000000n,
  CLONE_NEWNET: 0x40000000n,
} as const

/** mount(2). linux/mount.h */
export const MS = {
  MS_RDONLY: 0x1n,
  MS_NOSUID: 0x2n,
  MS_NODEV: 0x4n,
  MS_NOEXEC: 0x8n,
  MS_SYNCHRONOUS: 0x10n,
  MS_REMOUNT: 0x20n,
  MS_MANDLOCK: 0x40n,
  MS_DIRSYNC: 0x80n,
  MS_NOSYMFOLLOW: 0x100n,
  MS_NOATIME: 0x400n,
  MS_NODIRATIME: 0x800n,
  MS_BIND: 0x1000n,
  MS_MOVE: 0x2000n,
  MS_REC: 0x4000n,
  MS_SILENT: 0x8000n,
  MS_UNBINDABLE: 0x20000n,
  MS_PRIVATE: 0x40000n,
  MS_SLAVE: 0x80000n,
  MS_SHARED: 0x100000n,
  MS_RELATIME: 0x200000n,
  MS_I_VERSION: 0x800000n,
  MS_STRICTATIME: 0x1000000n,
  MS_LAZYTIME: 0x2000000n,
} as const

/** mount_setattr(2). linux/mount.h */
export const MOUNT_ATTR = {
  MOUNT_ATTR_RDONLY: 0x1n,
  MOUNT_ATTR_NOSUID: 0x2n,
  MOUNT_ATTR_NODEV: 0x4n,
  MOUNT_ATTR_NOEXEC: 0x8n,
  MOUNT_ATTR_NOATIME: 0x10n,
  MOUNT_ATTR_STRICTATIME: 0x20n,
  MOUNT_ATTR_NODIRATIME: 0x80n,
  MOUNT_ATTR_NOSYMFOLLOW: 0x200000n,
} as const

/** mknod(2). linux/stat.h */
export const S_IF = { S_IFIFO: 0o010000, S_IFCHR: 0o020000, S_IFBLK: 0o060000 } as const

/** personality(2). linux/personality.h */
export const PERSONALITY: Readonly<Record<string, bigint>> = { LINUX: 0n, LINUX32: 8n }
