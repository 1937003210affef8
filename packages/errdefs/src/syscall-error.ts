/** A failed system call, from koffi or from the shim. Translate it where the meaning is known. */
export class SyscallError extends Error {
  readonly syscall: string
  /** Name of the errno, e.g. `ENOENT`. */
  readonly code: string
  readonly errno: number
  override readonly name: string = 'SyscallError'

  constructor(syscall: string, errno: number, code: string, detail = '') {
    super(`${syscall}${detail === '' ? '' : ` ${detail}`}: ${code}`)
    this.syscall = syscall
    this.errno = errno
    this.code = code
  }
}

/** True for a Node system error or a SyscallError with one of these errno names. */
export function isErrno(error: unknown, ...codes: string[]): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    typeof error.code === 'string' &&
    codes.includes(error.code)
  )
}
