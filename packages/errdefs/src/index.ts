export { EngineError, type ErrorCode, invalid, isEngineError } from './engine-error.ts'
export { errnoText } from './errno-text.ts'
export { messageOf } from './error-message.ts'
export { isErrno, SyscallError } from './syscall-error.ts'
