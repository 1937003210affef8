export { EngineError, type ErrorCode, isEngineError } from './engine-error.ts'
export { isErrno, SyscallError } from './syscall-error.ts'
