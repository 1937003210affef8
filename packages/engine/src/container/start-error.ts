import { EngineError, errnoText, PROCESS_LIMIT } from '@ctr/errdefs'
import type { Op, OpName, ShimError } from '@ctr/shim'

/** Why a process could not be started: what the caller is told, and what the container's state keeps. */
export interface StartFailure {
  readonly error: EngineError
  /** 127: command not found; 126: it cannot be run; 128: anything else. As Docker's. */
  readonly exitCode: number
}

const CREATE_PREFIX =
  'failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: '
const EXEC_PREFIX = 'OCI runtime exec failed: exec failed: unable to start container process: '

/**
 * Docker's words for a failed operation: the docker CLI reads 126 and 127 from them. Decided by operation and errno.
 * moby daemon/errors.go translateContainerdStartErr
 */
export function describeStartFailure(
  cause: ShimError,
  command: string,
  kind: 'start' | 'exec',
): StartFailure {
  const { reason, hint = '', exitCode, isInvalid } = explain(cause, command)
  const prefix = kind === 'start' ? CREATE_PREFIX : EXEC_PREFIX
  const code = isInvalid ? 'INVALID_ARGUMENT' : 'INTERNAL'
  return { error: new EngineError(code, `${prefix}${reason}: unknown${hint}`, { cause }), exitCode }
}

interface Explanation {
  readonly reason: string
  /** The daemon's own words, behind those of the runtime. */
  readonly hint?: string
  readonly exitCode: number
  /** The request's fault, not ours. */
  readonly isInvalid: boolean
}

export const UNKNOWN_FAILURE = 128

const MOUNT_OPS: readonly OpName[] = ['bind', 'mount', 'mkdir']
/** A step of the shim's: a link in a volume or an image led there. */
const INSIDE_PROC = 'inside /proc'

function explain(cause: ShimError, command: string): Explanation {
  if (cause.op === 'exec') return explainExec(cause, command)
  if (MOUNT_OPS.includes(cause.op) || cause.detail === INSIDE_PROC) return explainMount(cause)
  if (cause.op === 'chdir') {
    return {
      reason: `chdir to cwd (${JSON.stringify(target(cause))}) set in config.json failed: ${chdirText(cause.code)}`,
      exitCode: cause.code === 'EACCES' ? 126 : 127,
      isInvalid: true,
    }
  }
  if (cause.operation?.op === 'sysctl') return explainSysctl(cause, cause.operation.key)
  const isLimit = cause.code === 'EAGAIN' && (cause.op === 'clone' || cause.op === 'clone_in')
  return {
    reason: `error during container init: ${cause.message}`,
    ...(isLimit ? { hint: `: ${PROCESS_LIMIT}` } : {}),
    exitCode: UNKNOWN_FAILURE,
    isInvalid: false,
  }
}

/** 127 and 126, although no command is meant: moby goes by the words. */
function explainSysctl({ code, detail }: ShimError, key: string): Explanation {
  const path = `/proc/sys/${key.replaceAll('.', '/')}`
  return {
    reason: `error during container init: ${detail === '' ? 'write' : detail} ${path}: ${errnoText(code)}`,
    exitCode: code === 'ENOENT' ? 127 : code === 'EACCES' ? 126 : UNKNOWN_FAILURE,
    isInvalid: code === 'ENOENT' || code === 'EACCES',
  }
}

function explainExec(cause: ShimError, command: string): Explanation {
  const name = JSON.stringify(command)
  // The empty word is found nowhere; the kernel was asked for a path that is none.
  if (cause.code === 'ENOENT' || cause.code === 'ENOTDIR' || command === '') {
    const reason = command.includes('/')
      ? `exec: ${name}: stat ${command}: ${errnoText(cause.code)}`
      : `exec: ${name}: executable file not found in $PATH`
    return { reason, exitCode: 127, isInvalid: true }
  }
  return { reason: `exec: ${name}: ${errnoText(cause.code)}`, exitCode: 126, isInvalid: true }
}

function explainMount(cause: ShimError): Explanation {
  const reason = `error during container init: ${mountText(cause)}`
  if (cause.detail === INSIDE_PROC) return { reason, exitCode: UNKNOWN_FAILURE, isInvalid: true }
  switch (cause.code) {
    case 'ENOTDIR':
      if (cause.op === 'mkdir') return { reason, exitCode: 127, isInvalid: true }
      return {
        reason,
        hint: `: Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is the expected type`,
        exitCode: 127,
        isInvalid: true,
      }
    case 'ENOENT':
      return { reason, exitCode: 127, isInvalid: true }
    case 'EACCES':
      return { reason, exitCode: 126, isInvalid: true }
    default:
      return { reason, exitCode: UNKNOWN_FAILURE, isInvalid: false }
  }
}

/** Names what the user wrote; `detail` is a step of ours. */
function mountText(cause: ShimError): string {
  const { operation, detail } = cause
  const step = detail === '' ? '' : `${detail}: `
  const text = errnoText(cause.code)
  switch (operation?.op) {
    case 'mkdir':
      return `mkdir ${operation.path}: ${step}${text}`
    case 'bind':
    case 'mount':
      return `error mounting ${JSON.stringify(operation.source)} to rootfs at ${JSON.stringify(operation.target)}: ${mountStep(operation, detail)}: ${text}`
    default:
      return `error mounting to rootfs: ${step}${text}`
  }
}

/** Steps of the call that runc writes as one. */
const CALL_STEPS: readonly string[] = ['', 'mount', 'move_mount', 'open target']

/** As runc writes it; a bind of ours is made with the flags that it names. mount(2) MS_BIND | MS_REC */
function mountStep(operation: Extract<Op, { op: 'bind' | 'mount' }>, step: string): string {
  if (!CALL_STEPS.includes(step)) return step
  const { source, target: path } = operation
  const flags = operation.op === 'bind' ? 0x5000n : operation.flags
  const data = operation.op === 'bind' || operation.data === '' ? '' : `, data: ${operation.data}`
  return `mount ${source}:${path}, flags: 0x${flags.toString(16)}${data}`
}

function target({ operation }: ShimError): string {
  return operation?.op === 'chdir' ? operation.path : ''
}

function chdirText(code: string): string {
  return code === 'EXDEV'
    ? 'current working directory is outside of container mount namespace root -- possible container breakout attempt detected'
    : errnoText(code)
}
