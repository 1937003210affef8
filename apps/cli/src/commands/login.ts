import { auth } from '@ctr/client'
import { type Command, ExitError } from '../command.ts'
import { readCredentials } from '../config/credentials.ts'
import { storeCredentials } from '../config/store-credentials.ts'
import { printError, printLine } from '../output/write.ts'
import { promptLine, promptPassword } from '../terminal/prompt.ts'
import { stdinIsTerminal } from '../terminal/raw-mode.ts'
import { readStdin } from '../terminal/stdin.ts'

const HUB = 'https://index.docker.io/v1/'

export const command: Command = {
  usage: '[OPTIONS] [SERVER]',
  summary: 'Authenticate to a registry.\nDefaults to Docker Hub if no server is specified.',
  flags: [
    {
      name: 'password',
      short: 'p',
      kind: 'string',
      help: 'Password or Personal Access Token (PAT)',
    },
    {
      name: 'password-stdin',
      kind: 'bool',
      help: 'Take the Password or Personal Access Token (PAT) from stdin',
    },
    { name: 'username', short: 'u', kind: 'string', help: 'Username' },
  ],
  args: { min: 0, max: 1 },
  examples: [
    { text: 'Docker Hub', command: 'ctr login -u me' },
    {
      text: 'Another registry, without asking',
      command: 'ctr login -u me --password-stdin registry.example.com <token',
    },
  ],
  async run({ client, config }, { flags, args }) {
    const server = args[0] ?? HUB
    let username = flags.string('username')
    let password = flags.string('password')
    if (flags.isSet('password') && flags.bool('password-stdin')) {
      throw new ExitError(
        1,
        'conflicting options: cannot specify both --password and --password-stdin',
      )
    }
    if (flags.isSet('password')) {
      printError('WARNING! Using --password via the CLI is insecure. Use --password-stdin.')
    }
    if (flags.bool('password-stdin')) {
      if (username === '')
        throw new ExitError(1, 'the --password-stdin option requires --username to be set')
      password = (await readAll()).replace(/\r?\n$/, '')
    }
    if (username === '' && password === '') {
      const saved = await readCredentials(config.values, server)
      username = saved?.username ?? ''
      password = saved?.password ?? ''
    }
    if ((username === '' || password === '') && !stdinIsTerminal()) {
      throw new ExitError(1, 'Error: Cannot perform an interactive login from a non TTY device')
    }
    if (username === '') username = await promptLine('Username: ')
    if (password === '') password = await promptPassword('Password: ')
    if (username === '' || password === '')
      throw new ExitError(1, 'username and password are required')
    const answer = await auth(client, { username, password, serveraddress: server })
    await storeCredentials(config, server, {
      username,
      password,
      identitytoken: answer.IdentityToken || undefined,
    })
    printLine(answer.Status || 'Login Succeeded')
  },
}

async function readAll(): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of readStdin()) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}
