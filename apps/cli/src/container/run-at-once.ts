import { type ContainerRun, readRunReport } from '@ctr/client'
import type { Parsed, Timeline } from '@ctr/options'
import type { Context } from '../command.ts'
import { printError } from '../output/write.ts'
import { reportedSession } from '../stream/reported-session.ts'
import type { CreatedContainer } from './create-from-flags.ts'
import { proxySignals } from './proxy-signals.ts'
import { waitStatus } from './wait-status.ts'

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
  const report = await reportedSession({
    stream,
    stdin: body.AttachStdin === true,
    exitOnSignals: !isProxied,
  })
  stopProxy()
  if (report !== undefined) {
    const end = readRunReport(report)
    for (const { Name, AtUs } of end.phases) timeline.markAt(Name, AtUs)
    return waitStatus(end)
  }
  printError('error waiting for container: connection to the daemon lost')
  return 125
}
