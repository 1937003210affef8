export { EngineError, type ErrorCode, isEngineError } from './engine-error.ts'
export { SyscallError, isErrno } from './syscall-error.ts'
