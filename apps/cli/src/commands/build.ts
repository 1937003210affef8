import { writeFileSync } from 'node:fs'
import { type BuildParameters, buildImage } from '@ctr/client'
import {
  CONTAINER_FLAGS,
  checkLabel,
  checkPlatform,
  fileError,
  isRemoteContext,
  keyValueMap,
  parseBytes,
  parseReference,
  parseSwap,
  parseUlimits,
} from '@ctr/options'
import { type Context as Archive, packContext, packDockerfile } from '../archive/build-context.ts'
import { type Command, type Context, ExitError } from '../command.ts'
import { allCredentials } from '../config/all-credentials.ts'
import { proxyEnvironment } from '../config/proxies.ts'
import { readInput } from '../input-file.ts'
import { isTerminal } from '../node-modules.ts'
import { showProgress } from '../output/progress.ts'
import { writeErr, writeOut } from '../output/write.ts'
import { terminalColumns } from '../terminal/size.ts'

/** Limits of the containers that run the steps: as those of `run`. */
const LIMITS = new Set([
  'add-host',
  'cgroup-parent',
  'cpu-period',
  'cpu-quota',
  'cpu-shares',
  'cpuset-cpus',
  'cpuset-mems',
  'memory',
  'memory-swap',
  'shm-size',
  'ulimit',
])

export const command: Command = {
  usage: '[OPTIONS] PATH | URL | -',
  summary: 'Build an image from a Dockerfile',
  aliases: ['ctr image build', 'ctr build'],
  flags: [
    ...CONTAINER_FLAGS.filter(({ name, aliasOf }) => LIMITS.has(name) && aliasOf === undefined),
    { name: 'build-arg', kind: 'list', help: 'Set build-time variables' },
    { name: 'cache-from', kind: 'csv', help: 'Images to consider as cache sources' },
    { name: 'compress', kind: 'bool', help: 'Accepted for compatibility', hidden: true },
    {
      name: 'disable-content-trust',
      kind: 'bool',
      help: 'Accepted for compatibility',
      hidden: true,
    },
    {
      name: 'file',
      short: 'f',
      kind: 'string',
      help: 'Name of the Dockerfile (Default is "PATH/Dockerfile")',
    },
    { name: 'force-rm', kind: 'bool', help: 'Always remove intermediate containers' },
    { name: 'iidfile', kind: 'string', help: 'Write the image ID to the file' },
    { name: 'label', kind: 'list', help: 'Set metadata for an image', check: checkLabel },
    {
      name: 'network',
      kind: 'string',
      help: 'Set the networking mode for the RUN instructions during build',
    },
    { name: 'no-cache', kind: 'bool', help: 'Do not use cache when building the image' },
    {
      name: 'platform',
      kind: 'string',
      help: 'Set platform if server is multi-platform capable',
      check: checkPlatform,
    },
    { name: 'pull', kind: 'bool', help: 'Always attempt to pull a newer version of the image' },
    {
      name: 'quiet',
      short: 'q',
      kind: 'bool',
      help: 'Suppress the build output and print image ID on success',
    },
    {
      name: 'rm',
      kind: 'bool',
      help: 'Remove intermediate containers after a successful build',
      default: 'true',
    },
    { name: 'squash', kind: 'bool', help: 'Accepted for compatibility', hidden: true },
    {
      name: 'tag',
      short: 't',
      kind: 'list',
      help: 'Name and optionally a tag in the "name:tag" format',
      check: parseReference,
    },
    { name: 'target', kind: 'string', help: 'Set the target build stage to build.' },
  ],
  args: { min: 1, max: 1 },
  examples: [
    { text: 'The directory with the Dockerfile', command: 'ctr build -t web:1 .' },
    {
      text: 'Another Dockerfile, one of its stages, and a variable',
      command: 'ctr build -f docker/Dockerfile --target test --build-arg VERSION=3 .',
    },
    {
      text: 'Without a directory',
      command: `printf 'FROM busybox\\nCMD ["date"]\\n' | ctr build -t date -`,
    },
  ],
  async run(context, { flags, args }) {
    const [path = ''] = args
    const file = flags.string('file')
    const isQuiet = flags.bool('quiet')
    const source = isRemoteContext(path)
      ? { remote: path, dockerfile: file === '' ? undefined : file }
      : await archiveOf(path, file)
    const platform = flags.optional('platform') ?? context.environment['DOCKER_DEFAULT_PLATFORM']
    const parameters: BuildParameters = {
      tags: flags.list('tag'),
      dockerfile: source.dockerfile,
      target: flags.optional('target'),
      platform,
      args: buildArgs(flags.list('build-arg'), context),
      labels: keyValueMap(flags.list('label')),
      cacheFrom: flags.list('cache-from'),
      isUncached: flags.bool('no-cache'),
      pulls: flags.bool('pull'),
      removes: flags.boolOr('rm', true),
      removesAlways: flags.bool('force-rm'),
      isQuiet,
      squash: flags.bool('squash'),
      network: flags.optional('network'),
      extraHosts: flags.list('add-host'),
      cgroupParent: flags.optional('cgroup-parent'),
      ulimits: parseUlimits(flags.list('ulimit')),
      memory: bytes(flags.optional('memory')),
      memorySwap: swap(flags.optional('memory-swap')),
      shmSize: bytes(flags.optional('shm-size')),
      cpuShares: flags.int('cpu-shares'),
      cpuPeriod: flags.int('cpu-period'),
      cpuQuota: flags.int('cpu-quota'),
      cpusetCpus: flags.optional('cpuset-cpus'),
      cpusetMems: flags.optional('cpuset-mems'),
    }
    let imageId = ''
    let isFailed = true
    let text = ''
    let code = 1
    const messages = buildImage(context.client, {
      ...parameters,
      ...('tar' in source ? { tar: source.tar } : { remote: source.remote }),
      registryConfig: await allCredentials(context.config.values),
    })
    const counted = (async function* () {
      for await (const message of messages) {
        code = message.errorDetail?.code ?? code
        yield message
      }
    })()
    try {
      await showProgress(counted, {
        write: (piece) => {
          if (isQuiet) text += piece
          else writeOut(piece)
        },
        isTerminal: isTerminal(1) && !isQuiet,
        columns: terminalColumns(1),
        onAux: (aux) => {
          imageId = (aux as { ID?: string }).ID ?? imageId
        },
      })
      isFailed = false
    } catch (error) {
      if (isQuiet) writeErr(text)
      // As docker: the status of the command that has failed.
      if (code === 1 || !(error instanceof Error)) throw error
      throw new ExitError(code, error.message)
    }
    if (isFailed) return 1
    if (isQuiet) {
      imageId = text.trim()
      writeOut(`${imageId}\n`)
    }
    writeIdFile(flags.string('iidfile'), imageId)
    return 0
  },
}

async function archiveOf(path: string, file: string): Promise<Archive> {
  if (file === '-' && path === '-') {
    throw new Error("invalid argument: can't use stdin for both build context and dockerfile")
  }
  if (path === '-') return await fromStdin(file)
  const text = file === '-' ? (await readAll(readInput('-'))).toString() : undefined
  return packContext(path, file === '-' ? '' : file, text)
}

/** A tar goes on as it is; text is a Dockerfile. */
async function fromStdin(file: string): Promise<Archive> {
  const input = readInput('-')[Symbol.asyncIterator]()
  let head = Buffer.alloc(0)
  while (head.length < HEAD_BYTES) {
    const next = await input.next()
    if (next.done === true) break
    head = Buffer.concat([head, next.value])
  }
  const rest = { [Symbol.asyncIterator]: () => input }
  async function* whole(): AsyncGenerator<Uint8Array> {
    yield head
    yield* rest
  }
  if (isArchive(head)) return { tar: whole(), dockerfile: file === '' ? 'Dockerfile' : file }
  return packDockerfile((await readAll(whole())).toString())
}

const HEAD_BYTES = 512
const MAGIC: readonly (readonly number[])[] = [
  [0x1f, 0x8b, 0x08],
  [0x42, 0x5a, 0x68],
  [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00],
  [0x28, 0xb5, 0x2f, 0xfd],
]

/** Compressed, or a tar by its magic. */
function isArchive(head: Buffer): boolean {
  if (MAGIC.some((bytes) => bytes.every((byte, index) => head[index] === byte))) return true
  return head.toString('latin1', 257, 262) === 'ustar'
}

async function readAll(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of source) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}

/** Without a value it is that of the environment, if there is one. Proxies of the configuration come along. */
function buildArgs(
  values: readonly string[],
  { config, client, environment }: Context,
): Record<string, string | null> {
  const proxies = proxyEnvironment(config.values, client.host.address, values)
  return Object.fromEntries(
    [...values, ...proxies].map((value) => {
      const at = value.indexOf('=')
      return at === -1
        ? [value, environment[value] ?? null]
        : [value.slice(0, at), value.slice(at + 1)]
    }),
  )
}

function bytes(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseBytes(text)
}

function swap(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseSwap(text)
}

function writeIdFile(path: string, id: string): void {
  if (path === '') return
  try {
    writeFileSync(path, id)
  } catch (error) {
    throw fileError('open', path, error)
  }
}
