import { type Client, ResponseError } from '@ctr/client'
import { type Command, ExitError } from '../command.ts'
import { INSPECT_FORMAT_FLAG, inspectEach } from '../format/inspect.ts'
import { inspectSource } from '../inspect-source.ts'
import { errorText } from '../report-error.ts'

const TYPES = ['container', 'image', 'network', 'volume'] as const
type ObjectType = (typeof TYPES)[number]

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
    const types = typesOf(flags.string('type'))
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

function typesOf(text: string): readonly ObjectType[] {
  if (text === '') return TYPES
  const type = TYPES.find((item) => item === text)
  if (type !== undefined) return [type]
  const known = [
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
  throw new ExitError(
    1,
    `unknown type: ${JSON.stringify(text)}: must be one of ${known.map((item) => JSON.stringify(item)).join(', ')}`,
  )
}

async function firstMatch(
  client: Client,
  ref: string,
  types: readonly ObjectType[],
  size: boolean,
): Promise<string> {
  let missing: unknown
  for (const type of types) {
    try {
      return await inspectSource(client, type, ref, size)
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
