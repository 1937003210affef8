import { ExitError } from './command.ts'
import { printLine } from './output/write.ts'
import { errorText } from './report-error.ts'

/**
 * Does something to each of several named things, all at once, and prints the names as typed in their order. Failures
 * come together at the end, and make the status 1.
 */
export async function eachTarget(
  refs: readonly string[],
  operate: (ref: string) => Promise<void>,
  print: (ref: string) => void = printLine,
): Promise<void> {
  const errors: string[] = []
  for (let start = 0; start < refs.length; start += BATCH) {
    const batch = refs.slice(start, start + BATCH)
    const results = await Promise.allSettled(batch.map(operate))
    for (const [index, result] of results.entries()) {
      if (result.status === 'fulfilled') print(batch[index] as string)
      else errors.push(errorText(result.reason))
    }
  }
  if (errors.length > 0) throw new ExitError(1, errors.join('\n'))
}

/** Connections open at the same moment, as docker. */
const BATCH = 50
