export { isIpcSysctl } from './sysctls.ts'
