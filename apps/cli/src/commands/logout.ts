import type { Command } from '../command.ts'
import { eraseCredentials } from '../config/store-credentials.ts'
import { printLine } from '../output/write.ts'

const HUB = 'https://index.docker.io/v1/'

export const command: Command = {
  usage: '[SERVER]',
  summary: 'Log out from a registry.\nIf no server is specified, the default is Docker Hub.',
  flags: [],
  args: { min: 0, max: 1 },
  examples: [
    { text: 'Forget the password of a registry', command: 'ctr logout registry.example.com' },
  ],
  async run({ config }, { args }) {
    const server = args[0] ?? HUB
    // Said even when there were none, as docker.
    printLine(`Removing login credentials for ${server}`)
    await eraseCredentials(config, server)
  },
}
