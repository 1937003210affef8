import { readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isErrno } from '@ctr/errdefs'
import { type MountFact, readMountInfo } from '@ctr/linux'
import { parseForeignJson } from '@ctr/oci'
import { RESTORE_STDIO_FD } from '../ops.ts'

/** runc's file beside the images: what stdin, stdout and stderr were at the dump, by criu's names. */
const FILE = 'descriptors.json'

const PIPE = /^pipe:\[\d+\]$/
const EXTERNAL = /^(?:pipe:\[\d+\]|tty\[[0-9a-f]+:[0-9a-f]+\]|file\[[0-9a-f]+:[0-9a-f]+\])$/
const O_ACCMODE = 3
const O_WRONLY = 1

/** Stdin, stdout, stderr: `pipe:[1]`, `tty[8800:51]`, `file[1:2]`, or a path that is the container's own. */
export type Descriptors = readonly string[]

/** As runc: of the init process, whoever made them. */
export function readDescriptors(pid: number): string[] {
  const mounts = readMountInfo(pid)
  return [0, 1, 2].map((fd) => describe(pid, fd, mounts))
}

function describe(pid: number, fd: number, mounts: readonly MountFact[]): string {
  const path = `/proc/${pid}/fd/${fd}`
  let link: string
  try {
    link = readlinkSync(path)
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return '' // closed
    throw error
  }
  if (PIPE.test(link) || !link.startsWith('/')) return link
  const info = readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8')
  const mountId = Number(/^mnt_id:\s*(\d+)$/m.exec(info)?.[1])
  if (mounts.some(({ id }) => id === mountId)) return link
  // Opened by the caller on the host: no mount of the container's leads there.
  const { rdev, dev, ino } = statSync(path)
  const isTerminal = /^\/dev\/(?:pts\/|tty|console)/.test(link)
  return isTerminal ? `tty[${hex(rdev)}:${hex(dev)}]` : `file[${hex(mountId)}:${hex(ino)}]`
}

/**
 * Of a container with pipes of a shim: the shim knows them whatever the process has done to its descriptors. They are
 * made in the order stdout, stderr, stdin.
 */
export function readShimPipes(shimPid: number, pid: number): string[] {
  const own = pipesOf(shimPid)
  const outputs = own.filter(({ isWritten }) => !isWritten).map(({ name }) => name)
  const [input = ''] = own.filter(({ isWritten }) => isWritten).map(({ name }) => name)
  if (outputs.length !== 1) return [input, outputs[0] ?? '', outputs[1] ?? '']
  // The process has closed one of both.
  const [only = ''] = outputs
  const isError = readDescriptors(pid)[2] === only
  return [input, isError ? '' : only, isError ? only : '']
}

function pipesOf(pid: number): { name: string; isWritten: boolean }[] {
  return readdirSync(`/proc/${pid}/fd`)
    .map(Number)
    .toSorted((a, b) => a - b)
    .flatMap((fd) => {
      const name = readlinkSync(`/proc/${pid}/fd/${fd}`)
      if (!PIPE.test(name)) return []
      const info = readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8')
      const flags = Number.parseInt(/^flags:\s*(\d+)$/m.exec(info)?.[1] ?? '', 8)
      return [{ name, isWritten: (flags & O_ACCMODE) === O_WRONLY }]
    })
}

function hex(value: number): string {
  return value.toString(16)
}

export function saveDescriptors(imagesDir: string, descriptors: Descriptors): void {
  writeFileSync(join(imagesDir, FILE), JSON.stringify(descriptors), { mode: 0o600 })
}

/** Images are input from anywhere: what is no descriptor of the known kinds is left out. */
export function loadDescriptors(imagesDir: string): string[] {
  let parsed: unknown
  try {
    parsed = parseForeignJson(readFileSync(join(imagesDir, FILE)))
  } catch (error) {
    if (isErrno(error, 'ENOENT') || error instanceof SyntaxError) return []
    throw error
  }
  if (!Array.isArray(parsed)) return []
  return parsed.slice(0, 3).map((one: unknown) => (typeof one === 'string' ? one : ''))
}

/** --external of a dump. Pipes need none: criu takes them as they are. */
export function externalDescriptors(descriptors: Descriptors): string[] {
  return [...new Set(descriptors)].filter((one) => EXTERNAL.test(one) && !PIPE.test(one))
}

/** --inherit-fd of a restore. */
export function inheritedDescriptors(descriptors: Descriptors): { key: string; fd: number }[] {
  return descriptors.flatMap((one, index) =>
    EXTERNAL.test(one) && descriptors.indexOf(one) === index
      ? [{ key: one, fd: RESTORE_STDIO_FD + index }]
      : [],
  )
}
