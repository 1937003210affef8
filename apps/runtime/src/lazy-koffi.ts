import { realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'

/**
 * Stands in for koffi in the executable that build.ts makes: nothing is loaded until a C function is called, which the
 * common commands never do (docs/decisions/0015-oci-runtime-start-up.md). The add-on stays a file of its own: carried
 * inside, bun would unpack it into /tmp under a name that others can foresee.
 */
interface Koffi {
  load(path: string): { func(prototype: string): (...args: unknown[]) => unknown }
  errno(): number
}

/** Seen from the executable's directory; build.ts puts it here. */
declare const KOFFI_PATH: string

let native: Koffi | undefined

function koffi(): Koffi {
  if (native !== undefined) return native
  const loaded = { exports: {} }
  process.dlopen(loaded, join(dirname(realpathSync('/proc/self/exe')), KOFFI_PATH))
  native = loaded.exports as Koffi
  return native
}

interface LazyFunction {
  (...args: unknown[]): unknown
}

export default {
  load(path: string): { func(prototype: string): LazyFunction } {
    // Only the C library is sure to be there; of others the caller wants to know.
    let library = path === 'libc.so.6' ? undefined : koffi().load(path)
    return {
      func(prototype) {
        let call: ((...args: unknown[]) => unknown) | undefined
        return (...args) => {
          library ??= koffi().load(path)
          call ??= library.func(prototype)
          return call(...args)
        }
      },
    }
  },
  errno: (): number => koffi().errno(),
}
