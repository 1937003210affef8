import { fileURLToPath } from 'node:url'

/** The native programs, built by `make -C packages/shim/native`. */
export const shimBinaryPath: string = fileURLToPath(
  new URL('../native/build/ctr-shim', import.meta.url),
)
export const initBinaryPath: string = fileURLToPath(
  new URL('../native/build/ctr-init', import.meta.url),
)
