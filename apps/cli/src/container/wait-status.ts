import type { WaitResponse } from '@ctr/api'
import { waitEnd } from '@ctr/options'
import { printError } from '../output/write.ts'

/** The exit status of `run` and `start -a`; says why it is not known. */
export function waitStatus(response: WaitResponse): number {
  const { status, text } = waitEnd(response)
  if (text !== '') printError(text)
  return status
}
