export {
  applyLimits,
  cgroupPids,
  childCgroups,
  freezeCgroup,
  isCgroupFrozen,
  killCgroup,
  removeCgroup,
  thawCgroup,
} from './cgroup/control.ts'
export {
  type DevicePolicy,
  devicePolicy,
  deviceProgramV2,
  deviceWritesV1,
} from './cgroup/devices.ts'
export {
  type CgroupHierarchy,
  type CgroupLayout,
  cgroupDirectory,
  findHierarchy,
  readCgroupLayout,
} from './cgroup/layout.ts'
export { type CgroupWrite, cgroupLimits, type LimitFacts } from './cgroup/limits.ts'
export { type CpusetFacts, prepareCgroupParent } from './cgroup/parent.ts'
export { grantRealtime } from './cgroup/realtime.ts'
export {
  type BlockIoEntry,
  type BlockIoStats,
  type CgroupStats,
  type CpuStats,
  type MemoryStats,
  type Pressure,
  type PressureLine,
  readCgroupStats,
} from './cgroup/stats.ts'
export { isExt4WithoutJournal, spreadDirectories } from './ext4.ts'
export { returnFreeMemory } from './free-memory.ts'
export { type HostFacts, readHostFacts } from './host-facts.ts'
export { beginWriteback, futimes, lutimes, mknod, syncfs } from './inode.ts'
export { errnoName } from './libc.ts'
export { type MountFact, parseMountInfo, readMountInfo } from './mountinfo.ts'
export { hasSctp, interfaceIndex, isPortFree } from './network-interface.ts'
export { Nftables, NftablesError } from './nftables.ts'
export { type OomKill, OomLog } from './oom-log.ts'
export { filesystemOf, isOpenForReading, takePeerFile } from './peer-file.ts'
export { type PipeEnd, pipe } from './pipe.ts'
export {
  isProcess,
  type ProcessStatus,
  processAgeMs,
  processStartTime,
  processStatus,
  signalProcess,
} from './process.ts'
export {
  hasProjectQuota,
  joinProject,
  limitProject,
  projectOf,
  projectUse,
} from './project-quota.ts'
export { sdNotify, sendDatagram, setCloseOnExec, socketFamily } from './sd-notify.ts'
export { compileSeccomp, seccompFlags } from './seccomp.ts'
export { SeccompFilters } from './seccomp-filters.ts'
export {
  type ContainerContexts,
  readContainerContexts,
  relabelTree,
  setFileLabel,
} from './selinux.ts'
export { hasPeerGone, unreadByPeer } from './socket-queue.ts'
export {
  deviceNumbers,
  FILESYSTEM_MAGIC,
  filesystemMagic,
  MNT_DETACH,
  mount,
  O_PATH,
  openat2,
  openInRoot,
  preallocate,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  tryLock,
  umount,
} from './syscalls.ts'
export {
  checkSlice,
  isSystemdBooted,
  parseScopeName,
  type ScopeName,
  scopePath,
  startScope,
  stopScope,
  updateScope,
} from './systemd/scope.ts'
export { parentOf, takeSocket } from './take-socket.ts'
export { startThread } from './thread.ts'
export {
  fgetxattr,
  flistxattr,
  fsetxattr,
  lgetxattr,
  llistxattr,
  lsetxattr,
  type PathBytes,
} from './xattr.ts'
