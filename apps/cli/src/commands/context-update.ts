import type { Command } from '../command.ts'
import { DEFAULT_CONTEXT } from '../context/current.ts'
import { parseEndpoint } from '../context/endpoint.ts'
import { ContextStore, reserved } from '../context/store.ts'
import { printError, printLine } from '../output/write.ts'
import { DESCRIPTION_FLAG, DOCKER_FLAG } from './context-create.ts'

export const command: Command = {
  usage: '[OPTIONS] CONTEXT',
  summary: 'Update a context',
  flags: [DESCRIPTION_FLAG, DOCKER_FLAG],
  args: { min: 1, max: 1 },
  examples: [
    {
      text: 'Another daemon under the same name',
      command: 'ctr context update --docker host=ssh://me@example.com work',
    },
  ],
  async run({ configDirectory }, { flags, args }) {
    const name = args[0] as string
    if (name === DEFAULT_CONTEXT) throw reserved()
    const store = new ContextStore(configDirectory)
    const before = store.get(name)
    const { docker, tls } = flags.isSet('docker')
      ? parseEndpoint(flags.string('docker'), store)
      : { docker: before.Endpoints.docker ?? {} }
    const metadata = flags.isSet('description')
      ? { ...before.Metadata, Description: flags.string('description') }
      : before.Metadata
    store.put({ Name: name, Metadata: metadata, Endpoints: { ...before.Endpoints, docker } }, tls)
    printLine(name)
    printError(`Successfully updated context "${name}"`)
  },
}
