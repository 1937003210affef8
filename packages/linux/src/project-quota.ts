import { closeSync, constants, openSync } from 'node:fs'
import koffi from 'koffi'
import { lastError, libc } from './libc.ts'

/**
 * Project quotas: a directory and all that is made in it belong to a project, whose blocks have a limit. ext4 with
 * `prjquota`, xfs with `pquota`. quotactl(2), quotactl_fd(2) (Linux 5.14), ioctl FS_IOC_FSSETXATTR (linux/fs.h)
 */
const ioctlC = libc.func('int ioctl(int fd, ulong request, _Inout_ uint8_t *data)')
const quotactlFdC = libc.func(
  'long syscall(long number, uint fd, uint command, uint id, _Inout_ uint8_t *data)',
)

/** The same number on every architecture. asm-generic/unistd.h */
const SYS_quotactl_fd = 443

/** _IOR('X', 31, struct fsxattr), _IOW('X', 32, struct fsxattr) */
const FS_IOC_FSGETXATTR = 0x801c581f
const FS_IOC_FSSETXATTR = 0x401c5820
/** fsx_xflags, fsx_extsize, fsx_nextents, fsx_projid, fsx_cowextsize: u32; 8 bytes of padding. */
const FSXATTR_SIZE = 28
const PROJECT_AT = 12
const FS_XFLAG_PROJINHERIT = 0x200

/** quota(5): QCMD(command, PRJQUOTA) */
const PRJQUOTA = 2
const Q_XGETQUOTA = 0x5803
const Q_XSETQLIM = 0x5804
const Q_XGETQSTAT = 0x5805

/** struct fs_disk_quota of linux/dqblk_xfs.h */
const QUOTA_SIZE = 112
const FS_DQUOT_VERSION = 1
const FS_PROJ_QUOTA = 2
const FIELDS_AT = 2
const ID_AT = 4
const HARD_AT = 8
const SOFT_AT = 16
const USED_AT = 40
const FS_DQ_BSOFT_AND_BHARD = 0x0c
/** Limits and use are counted in basic blocks. */
const BASIC_BLOCK_BYTES = 512n

/** struct fs_quota_stat: qs_flags is the second u16. */
const STATE_SIZE = 80
const STATE_FLAGS_AT = 2
const FS_QUOTA_PDQ_ACCT_AND_ENFD = 0x30

const ENOENT = 2
const ESRCH = 3

/** Whether the filesystem of `directory` counts the blocks of projects and refuses what is above their limits. */
export function hasProjectQuota(directory: string): boolean {
  return withDirectory(directory, (fd) => {
    const state = Buffer.alloc(STATE_SIZE)
    if (quotactl(fd, Q_XGETQSTAT, 0, state) !== 0) return false
    const flags = state.readUInt16LE(STATE_FLAGS_AT)
    return (flags & FS_QUOTA_PDQ_ACCT_AND_ENFD) === FS_QUOTA_PDQ_ACCT_AND_ENFD
  })
}

/** 0: of no project. */
export function projectOf(directory: string): number {
  return withDirectory(directory, (fd) => readAttributes(fd).readUInt32LE(PROJECT_AT))
}

/** Makes an empty directory, and what will be made in it, part of a project. */
export function joinProject(directory: string, project: number): void {
  withDirectory(directory, (fd) => {
    const attributes = readAttributes(fd)
    attributes.writeUInt32LE(attributes.readUInt32LE(0) | FS_XFLAG_PROJINHERIT, 0)
    attributes.writeUInt32LE(project, PROJECT_AT)
    if (ioctlC(fd, FS_IOC_FSSETXATTR, attributes) !== 0) {
      throw lastError('ioctl FS_IOC_FSSETXATTR', directory)
    }
  })
}

/** Bytes; 0 means none. */
export interface ProjectUse {
  readonly limitBytes: bigint
  readonly usedBytes: bigint
}

export function projectUse(directory: string, project: number): ProjectUse {
  return withDirectory(directory, (fd) => {
    const quota = Buffer.alloc(QUOTA_SIZE)
    if (quotactl(fd, Q_XGETQUOTA, project, quota) !== 0) {
      const errno = koffi.errno()
      if (errno === ENOENT || errno === ESRCH) return { limitBytes: 0n, usedBytes: 0n }
      throw lastError('quotactl_fd Q_XGETQUOTA', directory)
    }
    return {
      limitBytes: quota.readBigUInt64LE(HARD_AT) * BASIC_BLOCK_BYTES,
      usedBytes: quota.readBigUInt64LE(USED_AT) * BASIC_BLOCK_BYTES,
    }
  })
}

/** `directory` names the filesystem. 0 takes the limit away. */
export function limitProject(directory: string, project: number, limitBytes: number): void {
  withDirectory(directory, (fd) => {
    const blocks = (BigInt(limitBytes) + BASIC_BLOCK_BYTES - 1n) / BASIC_BLOCK_BYTES
    const quota = Buffer.alloc(QUOTA_SIZE)
    quota.writeInt8(FS_DQUOT_VERSION, 0)
    quota.writeInt8(FS_PROJ_QUOTA, 1)
    quota.writeUInt16LE(FS_DQ_BSOFT_AND_BHARD, FIELDS_AT)
    quota.writeUInt32LE(project, ID_AT)
    quota.writeBigUInt64LE(blocks, HARD_AT)
    quota.writeBigUInt64LE(blocks, SOFT_AT)
    if (quotactl(fd, Q_XSETQLIM, project, quota) !== 0) {
      throw lastError('quotactl_fd Q_XSETQLIM', directory)
    }
  })
}

function quotactl(fd: number, command: number, id: number, data: Buffer): number {
  // A u32 with its highest bit clear: no sign to lose.
  return Number(quotactlFdC(SYS_quotactl_fd, fd, (command << 8) | PRJQUOTA, id, data))
}

function readAttributes(fd: number): Buffer {
  const attributes = Buffer.alloc(FSXATTR_SIZE)
  if (ioctlC(fd, FS_IOC_FSGETXATTR, attributes) !== 0) throw lastError('ioctl FS_IOC_FSGETXATTR')
  return attributes
}

function withDirectory<T>(path: string, use: (fd: number) => T): T {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    return use(fd)
  } finally {
    closeSync(fd)
  }
}
