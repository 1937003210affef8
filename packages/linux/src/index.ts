export {
  type CgroupHierarchy,
  type CgroupLayout,
  cgroupDirectory,
  findHierarchy,
  parseCgroupLayout,
  readCgroupLayout,
} from './cgroup/layout.ts'
export { type HostFacts, readHostFacts } from './host-facts.ts'
export { errnoError, errnoName, lastError, libc } from './libc.ts'
export { type MountFact, parseMountInfo, readMountInfo } from './mountinfo.ts'
