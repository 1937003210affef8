import { readFileSync } from 'node:fs'
import { release } from 'node:os'
import { gunzipSync } from 'node:zlib'

let hasX32: boolean | undefined

/**
 * False if the kernel was built without x32 and answers ENOSYS to all its calls. True if it may have it: asking it by a call
 * would be the end of a process under `SystemCallArchitectures=native` of systemd.
 */
export function kernelHasX32(): boolean {
  hasX32 ??= !isWithout(kernelConfig(), 'CONFIG_X86_X32_ABI')
  return hasX32
}

/** Undefined: the host does not tell. */
function kernelConfig(): string | undefined {
  return (
    tryRead(() => gunzipSync(readFileSync('/proc/config.gz'))) ??
    tryRead(() => readFileSync(`/boot/config-${release()}`))
  )
}

function tryRead(read: () => Buffer): string | undefined {
  try {
    return read().toString('latin1')
  } catch {
    return undefined
  }
}

/** Says of a kernel's configuration that an option, which this kernel knows, is off. */
export function isWithout(config: string | undefined, option: string): boolean {
  return config?.split('\n').includes(`# ${option} is not set`) === true
}
