import { EngineError } from '@ctr/errdefs'
import koffi, { type LibraryHandle } from 'koffi'

type Context = unknown

interface Library {
  readonly newContext: (flags: number) => Context
  readonly freeContext: (context: Context) => void
  readonly bufferOutput: (context: Context) => number
  readonly bufferError: (context: Context) => number
  readonly output: (context: Context) => string | null
  readonly errors: (context: Context) => string | null
  readonly run: ReturnType<LibraryHandle['func']>
}

/** libnftables(3). One context: calls are made one after the other, on a worker thread, because the kernel's commit blocks. */
export class Nftables {
  readonly #library: Library
  readonly #context: Context
  /** Tail of the queue that protects `#context`. */
  #last: Promise<unknown> = Promise.resolve()
  #isClosed = false

  private constructor(library: Library) {
    this.#library = library
    const context = library.newContext(0)
    if (context === null) throw new EngineError('INTERNAL', 'nft_ctx_new: out of memory')
    library.bufferOutput(context)
    library.bufferError(context)
    this.#context = context
  }

  static open(): Nftables {
    return new Nftables(loadLibrary())
  }

  /** Runs one batch in nft's language, as one transaction of the kernel: all of it or nothing. Returns what `list` commands print. */
  run(commands: string): Promise<string> {
    const result = this.#last.then(() => this.#run(commands))
    this.#last = result.catch(() => undefined)
    return result
  }

  async #run(commands: string): Promise<string> {
    if (this.#isClosed) throw new EngineError('INTERNAL', 'nftables is closed')
    const code = await new Promise<number>((resolve, reject) => {
      this.#library.run.async(this.#context, commands, (error: Error | null, value: number) =>
        error === null ? resolve(value) : reject(error),
      )
    })
    // Both buffers are emptied by reading.
    const output = this.#library.output(this.#context) ?? ''
    const errors = this.#library.errors(this.#context) ?? ''
    if (code !== 0) throw new NftablesError(errors.trim(), commands)
    return output
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#last
    if (this.#isClosed) return
    this.#isClosed = true
    this.#library.freeContext(this.#context)
  }
}

/** The kernel or the parser refused a batch; nothing of it was done. */
export class NftablesError extends Error {
  override readonly name = 'NftablesError'
  readonly commands: string

  constructor(message: string, commands: string) {
    super(`nftables: ${message}`)
    this.commands = commands
  }
}

let loaded: Library | undefined

function loadLibrary(): Library {
  loaded ??= bind(openLibrary())
  return loaded
}

function openLibrary(): LibraryHandle {
  try {
    return koffi.load('libnftables.so.1')
  } catch (error) {
    throw new EngineError(
      'UNAVAILABLE',
      'libnftables.so.1 is missing: install nftables (Debian: libnftables1), or start ctrd with --bridge none',
      { cause: error },
    )
  }
}

function bind(library: LibraryHandle): Library {
  return {
    newContext: library.func('void *nft_ctx_new(uint32_t flags)'),
    freeContext: library.func('void nft_ctx_free(void *ctx)'),
    bufferOutput: library.func('int nft_ctx_buffer_output(void *ctx)'),
    bufferError: library.func('int nft_ctx_buffer_error(void *ctx)'),
    output: library.func('const char *nft_ctx_get_output_buffer(void *ctx)'),
    errors: library.func('const char *nft_ctx_get_error_buffer(void *ctx)'),
    run: library.func('int nft_run_cmd_from_buffer(void *ctx, const char *buf)'),
  }
}
