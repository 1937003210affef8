import { createCheckpoint, exportCheckpoint } from '@ctr/client'
import type { Command } from '../command.ts'
import { checkOutputPath, writeStream } from '../output/file.ts'
import { printLine } from '../output/write.ts'

/** The checkpoint of `container checkpoint` without a file, which `container restore` takes. */
export const OWN_CHECKPOINT = 'default'

export const command: Command = {
  usage: '[OPTIONS] CONTAINER',
  summary: 'Checkpoint a container, into a file that another daemon restores it from',
  aliases: ['ctr container checkpoint'],
  flags: [
    {
      name: 'export',
      short: 'e',
      kind: 'string',
      value: 'file',
      help: 'Write configuration, changed files and memory to a tar file',
    },
    { name: 'file-locks', kind: 'bool', help: 'Checkpoint a container with file locks' },
    {
      name: 'keep',
      short: 'k',
      kind: 'bool',
      help: 'Keep the checkpoint beside the container, too',
    },
    {
      name: 'leave-running',
      short: 'R',
      kind: 'bool',
      help: 'Leave the container running after checkpoint',
    },
    {
      name: 'tcp-established',
      kind: 'bool',
      help: 'Checkpoint a container with established TCP connections',
    },
  ],
  args: { min: 1, max: 1 },
  examples: [
    {
      text: 'Into a file, for another machine',
      command: 'ctr container checkpoint --export web.tar web',
    },
  ],
  async run({ client }, { flags, args }) {
    const container = args[0] as string
    const tcpEstablished = flags.bool('tcp-established')
    const fileLocks = flags.bool('file-locks')
    const leaveRunning = flags.bool('leave-running')
    const file = flags.string('export')
    if (file === '') {
      await createCheckpoint(client, container, {
        CheckpointID: OWN_CHECKPOINT,
        Exit: !leaveRunning,
        TcpEstablished: tcpEstablished,
        FileLocks: fileLocks,
      })
    } else {
      checkOutputPath(file, 'checkpoint container')
      const keep = flags.bool('keep')
      const options = { leaveRunning, tcpEstablished, fileLocks, keep }
      await writeStream(await exportCheckpoint(client, container, options), file)
    }
    printLine(container)
  },
}
