import { mkdirSync, statSync } from 'node:fs'
import {
  dump,
  findCriu,
  readDescriptors,
  readExternalMounts,
  saveDescriptors,
  saveMounts,
} from '@ctr/shim/criu'
import {
  CRIU_FLAGS,
  criuOptions,
  imagePath,
  pageServer,
  parentPath,
  statusFd,
  workPath,
} from '../checkpoint-flags.ts'
import type { Command, Context, Input } from '../command.ts'
import { destroyContainer, killAndWait } from '../destroy.ts'
import { wrongState } from '../errors.ts'
import { frozenCgroup } from '../frozen-cgroup.ts'
import { readRecord } from '../record.ts'
import { findShim } from '../shim-path.ts'
import { containerStatus } from '../status.ts'

export const command: Command = {
  summary: 'checkpoint a running container',
  usage: '<container-id>',
  flags: [
    ...CRIU_FLAGS,
    {
      names: ['parent-path'],
      kind: 'text',
      help: 'path for previous criu image files in pre-dump',
    },
    {
      names: ['leave-running'],
      kind: 'bool',
      help: 'leave the process running after checkpointing',
    },
    {
      names: ['status-fd'],
      kind: 'text',
      help: 'criu writes \\0 to this FD once lazy-pages is ready',
    },
    { names: ['page-server'], kind: 'text', help: 'ADDRESS:PORT of the page server' },
    {
      names: ['pre-dump'],
      kind: 'bool',
      help: "dump container's memory information only, leave the container running after this",
    },
  ],
  minArgs: 1,
  maxArgs: 1,
  run: checkpoint,
}

async function checkpoint(context: Context, { flags, args }: Input): Promise<number> {
  const record = readRecord(context.root, args[0] ?? '')
  const status = containerStatus(context.root, record)
  if (status === 'stopped' || status === 'created') {
    throw wrongState(`Container cannot be checkpointed in ${status} state`)
  }
  const options = criuOptions(flags)
  const images = imagePath(flags)
  const work = workPath(flags)
  const isPreDump = flags.bool('pre-dump')
  const leaveRunning = isPreDump || flags.bool('leave-running')
  const server = pageServer(flags)
  const ready = statusFd(flags)
  const criu = await findCriu(context.criu, '--criu')
  for (const path of [images, ...(work === undefined ? [] : [work])]) {
    mkdirSync(path, { recursive: true, mode: 0o700 })
  }
  const { pid, spec } = record
  const descriptors = readDescriptors(pid)
  // A restore that comes at once finds them.
  const mounts = readExternalMounts(pid, spec)
  if (!isPreDump) {
    saveDescriptors(images, descriptors)
    saveMounts(images, mounts)
  }
  await dump(criu, {
    ...options,
    pid,
    imagesDir: images,
    workDir: work,
    leaveRunning,
    mounts,
    descriptors,
    terminalShim: spec.process?.terminal === true ? findShim() : undefined,
    networkInode: ownNetwork(pid),
    freezeCgroup: status === 'paused' ? frozenCgroup(record) : undefined,
    parentPath: parentPath(flags, images),
    isPreDump,
    pageServer: server,
    statusFd: options.lazyPages === true ? ready : undefined,
  })
  if (leaveRunning) return 0
  await killAndWait(record)
  await destroyContainer(context, record)
  return 0
}

/** Undefined: the host's. */
function ownNetwork(pid: number): number | undefined {
  const { ino } = statSync(`/proc/${pid}/ns/net`)
  return ino === statSync('/proc/self/ns/net').ino ? undefined : ino
}
