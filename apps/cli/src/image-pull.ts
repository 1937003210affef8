import { pullImage } from '@ctr/client'
import { parseReference } from '@ctr/options'
import type { Context } from './command.ts'
import { registryAuth } from './config/credentials.ts'
import { isTerminal } from './node-modules.ts'
import { showProgress } from './output/progress.ts'
import { terminalColumns } from './terminal/size.ts'

/** Pulls with progress on `write`; the name's default tag is latest. */
export async function pullWithProgress(
  context: Context,
  image: string,
  options: {
    readonly platform: string | undefined
    readonly write: (text: string) => void
    /** The descriptor that `write` goes to. */
    readonly fd: 1 | 2
    readonly allTags?: boolean
  },
): Promise<void> {
  const { name, tag, digest } = parseReference(image)
  const messages = pullImage(context.client, {
    fromImage: digest === undefined ? name : `${name}@${digest}`,
    tag: digest === undefined && options.allTags !== true ? (tag ?? 'latest') : undefined,
    platform: options.platform,
    auth: await registryAuth(context.config.values, name),
  })
  await showProgress(messages, {
    write: options.write,
    isTerminal: isTerminal(options.fd),
    columns: terminalColumns(options.fd),
  })
}
