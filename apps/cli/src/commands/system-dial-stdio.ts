import { connectTransport } from '@ctr/client'
import type { Command } from '../command.ts'
import { writeOut } from '../output/write.ts'
import { readStdin } from '../terminal/stdin.ts'

/** The far end of an ssh:// host: joins stdio with the daemon's socket. */
export const command: Command = {
  usage: '',
  summary: 'Proxy the stdio stream to the daemon connection',
  flags: [],
  args: { min: 0, max: 0 },
  examples: [
    {
      text: 'What ctr -H ssh://… runs on the other side',
      command: 'ssh example.com ctr system dial-stdio',
    },
  ],
  async run({ client }) {
    let drained = (): void => {}
    let closed = (): void => {}
    const finished = new Promise<void>((resolve) => {
      closed = resolve
    })
    const transport = await connectTransport(client.host, {
      data: writeOut,
      drain: () => drained(),
      end: () => closed(),
      close: () => closed(),
    })
    const pump = async (): Promise<void> => {
      for await (const chunk of readStdin()) {
        if (transport.write(chunk)) continue
        await new Promise<void>((resolve) => {
          drained = resolve
        })
      }
      transport.end()
    }
    await Promise.race([finished, pump().then(() => finished)])
  },
}
