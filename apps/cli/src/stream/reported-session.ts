import { NO_KEYS } from '../container/detach-keys.ts'
import { openSession, type SessionOptions } from './session.ts'

/**
 * Joins our stdio with a process whose stream ends with a report (`POST /containers/run`, `…/exec/run`). Gives the report, or
 * undefined when the connection was lost before.
 */
export async function reportedSession(
  options: Pick<SessionOptions, 'stream' | 'stdin' | 'exitOnSignals'>,
): Promise<string | undefined> {
  const { promise: reported, resolve: report } = Promise.withResolvers<string>()
  let text = ''
  const session = openSession({
    ...options,
    hasTty: false,
    detachKeys: NO_KEYS,
    onReport: (part) => {
      text += Buffer.from(part).toString('latin1')
      // Nothing follows it: the end of the connection need not be waited for.
      if (text.endsWith('\n')) report(Buffer.from(text, 'latin1').toString())
    },
  })
  const found = await Promise.race([reported, session.finished])
  return found === 'ended' || found === 'detached' ? undefined : found
}
