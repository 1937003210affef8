import { type Client, ResponseError } from '@ctr/client'
import { type Command, ExitError } from '../command.ts'
import { INSPECT_FORMAT_FLAG, inspectEach } from '../format/inspect.ts'
import { type InspectedType, inspectSource } from '../inspect-source.ts'
import { printError } from '../output/write.ts'
import { errorText } from '../report-error.ts'

/** Without --type, in this order. */
const SEARCHED: readonly InspectedType[] = ['container', 'image', 'network', 'volume', 'secret']

/** Those of swarms and plugins, too: the daemon says that there are none. */
const TYPES: readonly InspectedType[] = [
  'config',
  'container',
  'image',
  'network',
  'node',
  'plugin',
  'secret',
  'service',
  'task',
  'volume',
]

export const command: Command = {
  usage: '[OPTIONS] NAME|ID [NAME|ID...]',
  summary: 'Return low-level information on containers, images, networks and volumes',
  flags: [
    INSPECT_FORMAT_FLAG,
    {
      name: 'size',
      short: 's',
      kind: 'bool',
      help: 'Display total file sizes if the type is container',
    },
    { name: 'type', kind: 'string', help: 'Only inspect objects of the given type' },
  ],
  args: { min: 1 },
  examples: [
    {
      text: 'The address of a container',
      command: "ctr inspect -f '{{.NetworkSettings.IPAddress}}' web",
    },
    { text: 'Its mounts as JSON', command: "ctr inspect -f '{{json .Mounts}}' web" },
  ],
  run({ client }, { flags, args }) {
    const types = typesOf(flags.optional('type'))
    const size = flags.bool('size')
    return inspectEach(
      args,
      flags.string('format'),
      (ref) => firstMatch(client, ref, types, size),
      (error, ref) =>
        isMissing(error) && types.length > 1 ? `Error: No such object: ${ref}` : errorText(error),
    )
  },
}

function typesOf(text: string | undefined): readonly InspectedType[] {
  if (text === undefined) return SEARCHED
  const type = TYPES.find((item) => item === text)
  if (type !== undefined) return [type]
  const complaint = text === '' ? 'type is empty' : `unknown type: ${JSON.stringify(text)}`
  const known = TYPES.map((item) => JSON.stringify(item)).join(', ')
  throw new ExitError(1, `${complaint}: must be one of ${known}`)
}

async function firstMatch(
  client: Client,
  ref: string,
  types: readonly InspectedType[],
  size: boolean,
): Promise<string> {
  let missing: unknown
  for (const type of types) {
    try {
      const document = await inspectSource(client, type, ref, size)
      if (size && type !== 'container') printError(`WARNING: --size ignored for ${type}`)
      return document
    } catch (error) {
      if (!isMissing(error)) throw error
      missing = error
    }
  }
  throw missing
}

function isMissing(error: unknown): boolean {
  return error instanceof ResponseError && error.status === 404
}
