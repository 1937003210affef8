export { errnoError, errnoName, lastError, libc } from './libc.ts'
