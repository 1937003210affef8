import type { ContainerCreated } from '@ctr/api'
import { createContainer, explainContainer, ResponseError } from '@ctr/client'
import { messageOf } from '@ctr/errdefs'
import {
  type ContainerRequest,
  checkImage,
  checkPlatform,
  containerRequest,
  familiarReference,
  fileError,
  type Parsed,
} from '@ctr/options'
import { type Context, UsageError } from '../command.ts'
import { readConfigText } from '../config/config-text.ts'
import { nodeFs } from '../node-modules.ts'
import { printError, writeErr, writeOut } from '../output/write.ts'
import { terminalSize } from '../terminal/size.ts'
import { thisMachine } from '../this-machine.ts'

export interface CreatedContainer {
  readonly id: string
  readonly body: ContainerRequest['body']
}

/** What `run` and `create` share. Undefined after `--explain`, which makes nothing. */
export async function createFromFlags(
  context: Context,
  input: Parsed,
  options: {
    readonly isDetached: boolean
    /** The request is known and well-formed; nothing was asked of the daemon yet. */
    readonly beforeCreate?: (body: ContainerRequest['body']) => void
    /** Absent: it is created and no more. */
    readonly create?: (request: ContainerRequest) => Promise<ContainerCreated>
  },
): Promise<CreatedContainer | undefined> {
  const { flags } = input
  refuseApiSocket(flags)
  const { pull, request } = understand(context, input, options.isDetached)
  warnOfNoEffect(flags)
  await addProxies(context, request)
  if (!flags.isSet('rootfs')) checkImage(input.args[0] ?? '')
  if (flags.bool('explain')) {
    writeOut(await explainContainer(context.client, request))
    return undefined
  }
  if (request.platform !== undefined) checkPlatform(request.platform)
  options.beforeCreate?.(request.body)
  const idFile = openIdFile(flags.string('cidfile'))
  try {
    const { create = (it) => createContainer(context.client, it) } = options
    const created = await createOrPull(context, request, {
      pull,
      isQuiet: flags.bool('quiet'),
      create,
    })
    for (const warning of created.Warnings ?? []) printError(`WARNING: ${warning}`)
    idFile?.write(created.Id)
    return { id: created.Id, body: request.body }
  } finally {
    idFile?.close()
  }
}

function understand(
  context: Context,
  { flags, args }: Parsed,
  isDetached: boolean,
): { pull: PullPolicy; request: ContainerRequest } {
  try {
    const pull = pullPolicy(flags.string('pull'))
    const size = flags.bool('tty') ? consoleSize() : undefined
    const { environment } = context
    const machine = thisMachine(environment)
    const defaultPlatform = environment['DOCKER_DEFAULT_PLATFORM']
    return {
      pull,
      request: containerRequest({
        flags,
        args,
        machine,
        defaultPlatform,
        consoleSize: size,
        isDetached,
      }),
    }
  } catch (error) {
    throw new UsageError(messageOf(error), { cause: error })
  }
}

/** Options that are taken for compatibility. */
const NO_EFFECT: Readonly<Record<string, string>> = {
  'cpu-count': 'has no effect: it is for Windows',
  'cpu-percent': 'has no effect: it is for Windows',
  'io-maxbandwidth': 'has no effect: it is for Windows',
  'io-maxiops': 'has no effect: it is for Windows',
  'disable-content-trust': 'has no effect: signatures are not looked at',
  'kernel-memory': 'has no effect: kernels have none of its own any more',
}

function refuseApiSocket(flags: Parsed['flags']): void {
  if (flags.bool('use-api-socket')) {
    throw new UsageError(
      '--use-api-socket is not served: it would hand your logins to the container. To hand it the daemon: -v /run/ctr/ctr.sock:/var/run/docker.sock',
    )
  }
}

function warnOfNoEffect(flags: Parsed['flags']): void {
  for (const [name, reason] of Object.entries(NO_EFFECT)) {
    if (flags.isSet(name)) printError(`WARNING: --${name} ${reason}`)
  }
}

/** Few have proxies in config.json, so it is parsed only then. */
async function addProxies(context: Context, { body }: ContainerRequest): Promise<void> {
  if (!readConfigText(context.configDirectory).includes('"proxies"')) return
  const { proxyEnvironment } = await import('../config/proxies.ts')
  const given = body.Env ?? []
  body.Env = [
    ...given,
    ...proxyEnvironment(context.config.values, context.client.host.address, given),
  ]
}

type PullPolicy = 'always' | 'missing' | 'never'

function pullPolicy(text: string): PullPolicy {
  if (text === '' || text === 'missing') return 'missing'
  if (text === 'always' || text === 'never') return text
  throw new Error(`invalid pull option: '${text}': must be one of "always", "missing" or "never"`)
}

function consoleSize(): readonly [number, number] | undefined {
  const size = terminalSize()
  return size === undefined ? undefined : [size.rows, size.columns]
}

async function createOrPull(
  context: Context,
  request: ContainerRequest,
  options: {
    readonly pull: PullPolicy
    readonly isQuiet: boolean
    readonly create: (request: ContainerRequest) => Promise<ContainerCreated>
  },
): Promise<ContainerCreated> {
  const image = request.body.Image ?? ''
  const pull = async (): Promise<void> =>
    (await import('../image-pull.ts')).pullWithProgress(context, image, {
      platform: request.platform,
      write: options.isQuiet ? () => {} : writeErr,
      fd: 2,
    })
  if (options.pull === 'always') await pull()
  try {
    return await options.create(request)
  } catch (error) {
    if (options.pull !== 'missing' || !isMissingImage(error)) throw error
    if (!options.isQuiet) printError(`Unable to find image '${familiarReference(image)}' locally`)
    await pull()
    return options.create(request)
  }
}

function isMissingImage(error: unknown): boolean {
  return (
    error instanceof ResponseError &&
    error.status === 404 &&
    /no such image|does not match the specified platform/i.test(error.message)
  )
}

/** Made before the container, so that nobody else can take the name; removed when there will be no id. */
function openIdFile(path: string): { write(id: string): void; close(): void } | undefined {
  if (path === '') return undefined
  const { closeSync, existsSync, openSync, rmSync, writeSync } = nodeFs()
  if (existsSync(path)) {
    throw new Error(
      `container ID file found, make sure the other container isn't running or delete ${path}`,
    )
  }
  let fd: number
  try {
    fd = openSync(path, 'wx')
  } catch (error) {
    throw new Error(
      `failed to create the container ID file: ${fileError('open', path, error).message}`,
    )
  }
  let isWritten = false
  return {
    write: (id) => {
      writeSync(fd, id)
      isWritten = true
    },
    close: () => {
      closeSync(fd)
      if (!isWritten) rmSync(path, { force: true })
    },
  }
}
