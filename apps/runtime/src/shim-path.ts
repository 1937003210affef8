import { existsSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { shimBinaryPath } from '@ctr/shim'
import { unavailable } from './errors.ts'

/** ctr-shim beside the executable, or where the workspace builds it, seen from bin/ or from the source. */
export function findShim(): string {
  const beside = dirname(realpathSync('/proc/self/exe'))
  const candidates = [
    process.env['CTR_SHIM'] ?? '',
    join(beside, 'ctr-shim'),
    join(beside, '../packages/shim/native/build/ctr-shim'),
    shimBinaryPath,
  ]
  const found = candidates.find((path) => path !== '' && existsSync(path))
  if (found === undefined) throw unavailable('ctr-shim is not beside this program')
  return found
}
