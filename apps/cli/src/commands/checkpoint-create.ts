import { createCheckpoint } from '@ctr/client'
import type { Command } from '../command.ts'
import { printLine } from '../output/write.ts'

export const command: Command = {
  usage: '[OPTIONS] CONTAINER CHECKPOINT',
  summary: 'Create a checkpoint from a running container',
  aliases: ['ctr checkpoint create'],
  flags: [
    {
      name: 'checkpoint-dir',
      kind: 'string',
      help: 'Use a custom checkpoint storage directory',
    },
    {
      name: 'ext-unix-sk',
      kind: 'bool',
      help: 'Checkpoint a container with datagram sockets of the host (--network host)',
    },
    { name: 'file-locks', kind: 'bool', help: 'Checkpoint a container with file locks' },
    {
      name: 'leave-running',
      kind: 'bool',
      help: 'Leave the container running after checkpoint',
    },
    {
      name: 'page-server',
      kind: 'string',
      value: 'address:port',
      help: 'Send the memory to a criu page-server',
    },
    {
      name: 'tcp-established',
      kind: 'bool',
      help: 'Checkpoint a container with established TCP connections',
    },
  ],
  args: { min: 2, max: 2 },
  examples: [
    {
      text: 'Save the state of a container and let it go on',
      command: 'ctr checkpoint create --leave-running web before-upgrade',
    },
  ],
  async run({ client }, { flags, args }) {
    const [container = '', name = ''] = args
    await createCheckpoint(client, container, {
      CheckpointID: name,
      CheckpointDir: flags.string('checkpoint-dir'),
      Exit: !flags.bool('leave-running'),
      ...(flags.bool('tcp-established') ? { TcpEstablished: true } : {}),
      ...(flags.bool('file-locks') ? { FileLocks: true } : {}),
      ...(flags.bool('ext-unix-sk') ? { ExtUnixSk: true } : {}),
      ...(flags.string('page-server') === '' ? {} : { PageServer: flags.string('page-server') }),
    })
    printLine(name)
  },
}
