import { closeSync, constants, openSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { basename } from 'node:path'
import { lastError, libc } from './libc.ts'
import { deviceNumbers, FILESYSTEM_MAGIC, filesystemMagic } from './syscalls.ts'

const ioctlC = libc.func('int ioctl(int fd, ulong request, _Inout_ uint8_t *data)')

/** _IOR('f', 1, long), _IOW('f', 2, long); the data is an int in spite of it. ioctl_iflags(2) */
const FS_IOC_GETFLAGS = 0x80086601
const FS_IOC_SETFLAGS = 0x40086602
const FS_TOPDIR_FL = 0x20000

/**
 * Whether `path` lies on an ext4 without a journal. It gives no inode away a second time for a minute after its file was removed, six
 * if that is not on the disk yet, and looks at each of them whenever a file is made in their block group. fs/ext4/ialloc.c
 */
export function isExt4WithoutJournal(path: string): boolean {
  if (filesystemMagic(path) !== FILESYSTEM_MAGIC.ext4) return false
  const { major, minor } = deviceNumbers(statSync(path, { bigint: true }).dev)
  try {
    const device = basename(readlinkSync(`/sys/dev/block/${major}:${minor}`))
    return readFileSync(`/sys/fs/ext4/${device}/journal_task`, 'latin1').trim() === '<none>'
  } catch {
    // ext2 and ext3 have the same magic number; or there is no sysfs. It is only about speed.
    return false
  }
}

/**
 * Directories that are made in `directory` get block groups with few directories, not its own: chattr(1), attribute T. EOPNOTSUPP or
 * ENOTTY where the filesystem does not know of it.
 */
export function spreadDirectories(directory: string): void {
  const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    const flags = Buffer.alloc(8)
    if (ioctlC(fd, FS_IOC_GETFLAGS, flags) !== 0) throw lastError('ioctl FS_IOC_GETFLAGS')
    flags.writeInt32LE(flags.readInt32LE(0) | FS_TOPDIR_FL, 0)
    if (ioctlC(fd, FS_IOC_SETFLAGS, flags) !== 0) throw lastError('ioctl FS_IOC_SETFLAGS')
  } finally {
    closeSync(fd)
  }
}
