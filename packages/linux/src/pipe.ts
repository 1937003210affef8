import { lastError, libc } from './libc.ts'

const pipe2C = libc.func('int pipe2(_Out_ int *fds, int flags)')
const closeC = libc.func('int close(int fd)')

const O_CLOEXEC = 0o2000000

/** A descriptor that Node does not know: in a thread its `closeSync` would warn of that. */
export class PipeEnd {
  #fd: number

  constructor(fd: number) {
    this.#fd = fd
  }

  /** -1 when it has been closed. */
  get fd(): number {
    return this.#fd
  }

  /** No effect the second time. */
  close(): void {
    if (this.#fd !== -1) closeC(this.#fd)
    this.#fd = -1
  }
}

/** Both ends block, and are closed by the caller. pipe(2) */
export function pipe(): { reader: PipeEnd; writer: PipeEnd } {
  const fds = [-1, -1]
  if (pipe2C(fds, O_CLOEXEC) !== 0) throw lastError('pipe2')
  const [reader = -1, writer = -1] = fds
  return { reader: new PipeEnd(reader), writer: new PipeEnd(writer) }
}
