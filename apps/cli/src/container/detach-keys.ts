import { messageOf } from '@ctr/errdefs'
import { type Context, UsageError } from '../command.ts'
import { printError } from '../output/write.ts'
import { DEFAULT_DETACH_KEYS, parseDetachKeys } from '../terminal/detach-keys.ts'

/** Without a terminal nothing is typed. */
export const NO_KEYS = new Uint8Array(0)

/** Throws for keys that cannot be typed, with a terminal or without. What is in the config file is only warned of. */
export function checkDetachKeys(flag: string | undefined): void {
  if (flag === undefined || flag === '') return
  try {
    parseDetachKeys(flag)
  } catch (error) {
    throw new UsageError(`invalid detach keys (${flag}) provided: ${messageOf(error)}`)
  }
}

/** `--detach-keys`, else the config file's, else Ctrl-P Ctrl-Q. */
export function detachKeys(context: Context, flag: string | undefined): Uint8Array {
  const text = flag || context.config.values.detachKeys || DEFAULT_DETACH_KEYS
  try {
    return parseDetachKeys(text)
  } catch (error) {
    printError(`invalid detach escape keys, using default: ${messageOf(error)}`)
    return parseDetachKeys(DEFAULT_DETACH_KEYS)
  }
}
