export { EngineError, type ErrorCode, invalid, isEngineError } from './engine-error.ts'
export { isErrno, SyscallError } from './syscall-error.ts'
