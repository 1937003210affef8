import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { compileRestore, type RestoreInput, ShimError } from '@ctr/shim'
import {
  type Criu,
  type CriuOptions,
  criuEnvironment,
  encodeRestore,
  findCriu,
  loadDescriptors,
  loadMounts,
  type RestoreRequest,
  readCriuErrors,
  restoreArguments,
  restoreHint,
} from '@ctr/shim/criu'
import { readBundle } from './bundle.ts'
import { criuOptions, imagePath, workPath } from './checkpoint-flags.ts'
import type { Context, Input } from './command.ts'
import {
  type CreatedContainer,
  checkTerminal,
  hasCreateHooks,
  hostFacts,
  needProcess,
  type Plan,
  recordOf,
  runCreateHooks,
  startInput,
  writePidFile,
} from './create.ts'
import { invalidArgument } from './errors.ts'
import { explainFailure } from './failure.ts'
import { Launch } from './launch.ts'
import { checkId, claimId, containerDir, removeRecord, writeRecord } from './record.ts'
import { checkSystemd, OpenScope } from './scope.ts'

interface Images {
  readonly criu: Criu
  readonly options: CriuOptions & Pick<RestoreRequest, 'lsmProfile' | 'lsmMountContext'>
  readonly directory: string
  /** Of criu's log. */
  readonly work: string
}

/** A new container whose processes come from criu's images. One that fails leaves nothing behind. */
export async function restoreContainer(
  context: Context,
  id: string,
  { flags }: Input,
  isForeground: boolean,
): Promise<CreatedContainer> {
  checkSystemd(context)
  checkId(id)
  const bundle = readBundle(flags.text('bundle') ?? '.', id, context.hasSystemdCgroup)
  const { terminal } = needProcess(bundle.spec)
  const consoleSocket = checkTerminal(
    terminal === true,
    !isForeground,
    flags.text('console-socket'),
  )
  const options = criuOptions(flags)
  const lsm = {
    lsmProfile: flags.text('lsm-profile') || undefined,
    lsmMountContext: flags.text('lsm-mount-context') || undefined,
  }
  const directory = imagePath(flags)
  const criu = await findCriu(context.criu, '--criu')
  const plan: Plan = {
    id,
    spec: bundle.spec,
    bundle,
    host: hostFacts(),
    isForeground,
    consoleSocket,
    preserveFds: 0,
    noNewKeyring: true,
  }
  claimId(context.root, id)
  const work = workPath(flags) ?? containerDir(context.root, id)
  mkdirSync(work, { recursive: true, mode: 0o700 })
  try {
    const images = { criu, options: { ...options, ...lsm }, directory, work }
    return await launchRestore(context, plan, images, flags.text('pid-file'))
  } catch (error) {
    const log = join(terminal === true ? directory : work, 'restore.log')
    const explained = explain(error, log, restoreHint(criu, plan.host.kernel))
    removeRecord(context.root, id)
    throw explained
  }
}

async function launchRestore(
  context: Context,
  plan: Plan,
  images: Images,
  pidFile: string | undefined,
): Promise<CreatedContainer> {
  const own = containerDir(context.root, plan.id)
  const mountpoint = join(own, 'restore')
  mkdirSync(mountpoint, { mode: 0o700 })
  const start = startInput(context, plan, undefined)
  const input = { ...start, rootfs: { ...start.rootfs, mountpoint } }
  const program = compileRestore(input, restoreInput(plan, images, own), plan.host)
  const { scope: name } = plan.bundle
  const scope = name && (await OpenScope.open(name, plan.id, plan.spec))
  const launch = new Launch(program, {
    preserveFds: 0,
    warn: (message) => context.log.warn(message),
  })
  try {
    if (hasCreateHooks(plan.spec)) {
      await runCreateHooks(context, recordOf(plan, await launch.next('ready')))
      await launch.proceed()
    }
    const record = recordOf(plan, await launch.next('started'))
    await scope?.settle()
    writeRecord(context.root, record)
    if (pidFile !== undefined) writePidFile(pidFile, record.pid)
    if (!plan.isForeground) await launch.proceed()
    return { record, launch }
  } catch (error) {
    await launch.abandon()
    await scope?.abandon()
    throw error
  }
}

function restoreInput(plan: Plan, images: Images, own: string): RestoreInput {
  const namespaces = plan.spec.linux?.namespaces ?? []
  const request = {
    ...images.options,
    imagesDir: images.directory,
    workDir: images.work,
    descriptors: loadDescriptors(images.directory),
    hasNetwork: namespaces.some(({ type }) => type === 'network'),
  }
  return {
    args: restoreArguments(images.criu, request),
    request: (files) => encodeRestore(request, files),
    env: Object.entries(criuEnvironment()).map(([key, value]) => `${key}=${value}`),
    pidFile: join(own, 'restored.pid'),
    mounts: loadMounts(images.directory),
    afterwards: [],
  }
}

function explain(error: unknown, log: string, hint: string): unknown {
  if (!(error instanceof ShimError) || error.op !== 'restore') return explainFailure(error, '')
  const reason = readCriuErrors(log) || error.detail
  return invalidArgument(`criu failed: type RESTORE: ${reason}${hint}`)
}
