import { storageSize } from '@ctr/engine'
import type { OptionValues } from './option.ts'
import { invalid } from './values.ts'

/**
 * Most bytes that a container writes into its root filesystem, of containers that name none; undefined: no limit. Those of
 * another driver than overlay2 mean nothing here. INVALID_ARGUMENT. moby daemon/graphdriver/overlay2 parseOptions
 */
export function defaultStorageSize(values: OptionValues): number | undefined {
  const driver = (values.get('storage-driver') ?? '') as string
  if (driver !== '' && driver !== 'overlay2') return undefined
  let size: number | undefined
  for (const option of (values.get('storage-opts') ?? []) as readonly string[]) {
    const [key = '', ...rest] = option.split('=')
    const value = rest.join('=').trim()
    if (rest.length === 0) throw invalid('storage-opt', option, 'must be key=value')
    switch (key.trim().toLowerCase()) {
      case 'overlay2.size':
        size = storageSize({ StorageOpt: { size: value } })
        break
      // No kernel that is too old for overlayfs has what else is needed here.
      case 'overlay2.override_kernel_check':
        if (/^(1|t|true|0|f|false)$/i.test(value)) break
        throw invalid('storage-opt', option, 'must be true or false')
      default:
        throw invalid('storage-opt', option, 'overlay2 has no such option')
    }
  }
  return size
}
