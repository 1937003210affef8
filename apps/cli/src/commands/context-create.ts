import type { Flag } from '@ctr/options'
import { type Command, ExitError } from '../command.ts'
import { defaultAddress } from '../config/daemon-host.ts'
import { DEFAULT_CONTEXT } from '../context/current.ts'
import { parseEndpoint } from '../context/endpoint.ts'
import { ContextStore, checkNewName } from '../context/store.ts'
import { printError, printLine } from '../output/write.ts'

export const DOCKER_FLAG: Flag = {
  name: 'docker',
  kind: 'string',
  value: 'stringToString',
  help: 'Set the endpoint: host=URL, ca=FILE, cert=FILE, key=FILE, skip-tls-verify=true, or from=CONTEXT',
}
export const DESCRIPTION_FLAG: Flag = {
  name: 'description',
  kind: 'string',
  help: 'Description of the context',
}

export const command: Command = {
  usage: '[OPTIONS] CONTEXT',
  summary: 'Create a context',
  flags: [
    DESCRIPTION_FLAG,
    DOCKER_FLAG,
    { name: 'from', kind: 'string', help: 'Create context from a named context' },
  ],
  args: { min: 1, max: 1 },
  examples: [
    { text: 'A daemon by ssh', command: 'ctr context create far --docker host=ssh://me@far' },
  ],
  async run(context, { flags, args }) {
    const name = args[0] as string
    const store = new ContextStore(context.configDirectory)
    checkNewName(store, name)
    if (flags.isSet('from') && flags.isSet('docker')) {
      throw new ExitError(1, 'cannot use --docker flag when --from is set')
    }
    const from = flags.optional('from') ?? (flags.isSet('docker') ? undefined : context.contextName)
    const source = from === undefined || from === DEFAULT_CONTEXT ? undefined : store.get(from)
    const { docker, tls } =
      source !== undefined
        ? { docker: source.Endpoints.docker ?? {}, tls: store.tls(source.Name) }
        : flags.isSet('docker')
          ? parseEndpoint(flags.string('docker'), store)
          : { docker: defaultEndpoint(), tls: {} }
    const description = flags.string('description') || source?.Metadata.Description
    store.put(
      {
        Name: name,
        Metadata: description === undefined ? {} : { Description: description },
        Endpoints: { docker },
      },
      tls ?? {},
    )
    printLine(name)
    printError(`Successfully created context "${name}"`)

    function defaultEndpoint(): { Host: string; SkipTLSVerify: boolean } {
      return { Host: defaultAddress(context.globals, context.environment), SkipTLSVerify: false }
    }
  },
}
