import { type ContainerRun, readRunReport } from '@ctr/client'
import type { Context } from '../command.ts'
import type { Parsed } from '../flags/parse.ts'
import { loadFsMeanwhile } from '../node-modules.ts'
import type { ContainerRequest } from '../options/container-request.ts'
import { printError } from '../output/write.ts'
import { openSession } from '../stream/session.ts'
import type { Timeline } from '../timeline.ts'
import type { CreatedContainer } from './create-from-flags.ts'
import { NO_KEYS } from './detach-keys.ts'
import { proxySignals } from './proxy-signals.ts'
import { waitStatus } from './wait-status.ts'

/** A terminal has a size and keys that detach, and without output there is nothing to attach to. */
export function canRunAtOnce(body: ContainerRequest['body'], isDetached: boolean): boolean {
  const isAttached = body.AttachStdout === true || body.AttachStderr === true
  return !isDetached && isAttached && body.Tty !== true
}

/** From the answer on, that the container exists and is being started, to the exit status. */
export async function joinRun(
  { client }: Context,
  { flags }: Parsed,
  { id, body }: CreatedContainer,
  { stream }: ContainerRun,
  timeline: Timeline,
): Promise<number> {
  const isProxied = flags.boolOr('sig-proxy', true)
  const stopProxy = isProxied ? proxySignals(client, id) : () => {}
  const { promise: reported, resolve: report } = Promise.withResolvers<string>()
  let text = ''
  const session = openSession({
    stream,
    hasTty: false,
    stdin: body.AttachStdin === true,
    exitOnSignals: !isProxied,
    detachKeys: NO_KEYS,
    onFirstByte: () => timeline.mark('first byte'),
    onReport: (part) => {
      text += Buffer.from(part).toString('latin1')
      // Nothing follows it: the end of the connection need not be waited for.
      if (text.endsWith('\n')) report(Buffer.from(text, 'latin1').toString())
    },
  })
  loadFsMeanwhile()
  const found = await Promise.race([reported, session.finished])
  stopProxy()
  if (found !== 'ended' && found !== 'detached') return waitStatus(readRunReport(found))
  printError('error waiting for container: connection to the daemon lost')
  return 125
}
