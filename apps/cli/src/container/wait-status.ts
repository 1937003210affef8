import type { WaitResponse } from '@ctr/api'
import { printError } from '../output/write.ts'

/** The exit status of `run` and `start -a`: the container's, or 125 if it is not known. */
export function waitStatus({ StatusCode, Error: error }: WaitResponse): number {
  if (error === undefined || error === null || error.Message === '') return StatusCode
  printError(`Error waiting for container: ${error.Message}`)
  return 125
}
