/** What is used of `Bun.FFI`, the native part of bun:ffi: to import that module takes 0.3 ms more, and cannot be done under Node. */
interface Ffi {
  dlopen(
    library: string,
    declarations: Readonly<Record<string, Declaration>>,
  ): { readonly symbols: Readonly<Record<string, (...args: readonly number[]) => number>> }
  /** Good as long as `bytes` is held; they must not be none. */
  ptr(bytes: Uint8Array): number
}

interface Declaration {
  /** An address is `usize`. */
  readonly args: readonly ('i32' | 'usize')[]
  readonly returns: 'i32' | 'i64_fast' | 'void'
}

/** Bytes are passed as their address. A failure is -1, and the reason is lost. */
export type LibcFunction = (...args: readonly (number | Uint8Array)[]) => number

/**
 * A function of libc in the compiled executable; undefined on Node. The first takes 0.6 ms, where Bun's node:fs takes 2 ms, any
 * module by `process.getBuiltinModule` 5 ms, and node:tty 13 ms.
 */
export function libcFunction(name: string, declaration: Declaration): LibcFunction | undefined {
  const ffi = (globalThis as { Bun?: { FFI?: Ffi } }).Bun?.FFI
  const call = ffi?.dlopen('libc.so.6', { [name]: declaration }).symbols[name]
  if (ffi === undefined || call === undefined) return undefined
  return (...values) =>
    call(...values.map((value) => (typeof value === 'number' ? value : ffi.ptr(value))))
}
