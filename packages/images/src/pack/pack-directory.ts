import { spawn } from 'node:child_process'
import { closeSync, constants, lstatSync, openSync } from 'node:fs'
import { EngineError, isErrno, PROCESS_LIMIT } from '@ctr/errdefs'
import { beginWriteback } from '@ctr/linux'
import { FILES_BINARY, failureOf } from '../unpack/file-program.ts'
import { complete, type Progress, report } from '../unpack/growing-file.ts'
import { PackReplies } from './replies.ts'

/** One directory to archive into a file. */
export interface PackJob {
  /** An upper directory of an overlay, whose whiteouts and opaque marks become `.wh.` members. */
  readonly root: string
  /** Leave the root's own entry out if its owner and mode are those of this directory. */
  readonly sameRootAs: string | undefined
  /** An empty file. */
  readonly output: string
  /** Readers of it follow, and know the archive's digest sooner than we could. */
  readonly progress: Progress
}

export interface PackedTar {
  readonly size: number
  /** 0: nothing differs from the layers below. */
  readonly members: number
}

/** Enough for the disk to work on, seldom enough to cost nothing. */
const WRITEBACK_BYTES = 8 << 20
const DIRECTORY_FLAGS = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW

/**
 * Archives a directory that a running container may be changing, by ctr-files (packages/images/native/pack.c), a native process whose
 * root that directory is. The same tree gives the same bytes, those of tar/write.ts. The error of a call names it and the path.
 */
export async function packDirectory(job: PackJob, binary = FILES_BINARY): Promise<PackedTar> {
  const root = openSync(job.root, DIRECTORY_FLAGS)
  const output = openSync(job.output, 'r+')
  try {
    const arguments_ = ['pack', ...(job.sameRootAs === undefined ? [] : ownerOf(job.sameRootAs))]
    const child = spawn(binary, arguments_, {
      stdio: ['ignore', 'pipe', 'inherit', root, output],
      env: {},
    })
    const ended = new Promise<string | undefined>((resolve) => {
      child.once('error', (error) =>
        resolve(
          isErrno(error, 'EAGAIN')
            ? `cannot start ctr-files: ${PROCESS_LIMIT}`
            : `${binary} cannot be run: ${error.message}`,
        ),
      )
      child.once('close', (code, signal) =>
        resolve(code === 0 ? undefined : `ctr-files ended with ${signal ?? `exit code ${code}`}`),
      )
    })
    const replies = new PackReplies(writebackOf(output, job.progress))
    child.stdout?.on('data', (data: Buffer) => replies.add(data))
    const problem = await ended
    await replies.settled
    if (problem !== undefined || replies.result === undefined)
      throw translate(replies.error, problem ?? 'ctr-files said nothing')
    complete(job.progress)
    return replies.result
  } finally {
    closeSync(root)
    closeSync(output)
  }
}

/** As the kernel compares them: the mode with the type. */
function ownerOf(path: string): string[] {
  const { mode, uid, gid } = lstatSync(path)
  return [String(mode), String(uid), String(gid)]
}

/** Tells readers how much is there, and has the disk begin with it: one request at a time. */
function writebackOf(fd: number, progress: Progress): (bytes: number) => Promise<void> | undefined {
  let handedOver = 0
  let isRunning = false
  return (bytes) => {
    report(progress, bytes)
    const length = bytes - handedOver
    if (isRunning || length < WRITEBACK_BYTES) return undefined
    isRunning = true
    const begun = beginWriteback(fd, handedOver, length).finally(() => {
      isRunning = false
    })
    handedOver = bytes
    return begun
  }
}

function translate(reply: Buffer, otherwise: string): Error {
  const { error, call, path } = failureOf(reply, otherwise)
  if (call === 'path')
    return new EngineError('INVALID_ARGUMENT', `path is too long: ${path.slice(0, 100)}…`)
  const reason =
    call === 'redirect'
      ? `${path} was renamed by overlay without a copy: cannot be archived`
      : error.message
  return new EngineError('INTERNAL', reason, { cause: error })
}
