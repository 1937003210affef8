import type { ShimError } from '@ctr/shim'
import { invalidArgument } from './errors.ts'
import { LaunchError } from './launch.ts'

/** A failed launch in runc's words: docker, podman and containerd look for some of them. */
export function explainFailure(error: unknown, command: string): unknown {
  if (!(error instanceof LaunchError)) return error
  return invalidArgument(`unable to start container process: ${reason(error, command)}`)
}

function reason({ cause, op }: LaunchError, command: string): string {
  const text = errnoText(cause.code)
  if (cause.code === 'ECHILD') return inInit(died(cause.detail))
  switch (op?.op) {
    case 'exec':
    case 'gate':
    case 'seccomp':
      return isLookUp(cause) ? lookUp(cause, command) : `${inInit(cause.message)}`
    case 'chdir':
      return `chdir to cwd (${JSON.stringify(op.path)}) set in config.json failed: ${text}`
    case 'bind':
      return inInit(
        `error mounting ${JSON.stringify(op.source)} to rootfs at ${JSON.stringify(op.target)}: ${step(cause)}${text}`,
      )
    case 'mount':
      return inInit(
        `error mounting ${JSON.stringify(op.source)} to rootfs at ${JSON.stringify(op.target)}: ${step(cause)}${text}`,
      )
    case 'write':
      return inInit(
        `error setting cgroup config for procHooks process: failed to write ${JSON.stringify(Buffer.from(op.data).toString())}: write ${op.path}: ${text}`,
      )
    default:
      return inInit(`${cause.message} (${text})`)
  }
}

function inInit(text: string): string {
  return `error during container init: ${text}`
}

/** `killed by signal 9, out of memory` */
function died(how: string): string {
  return how.includes('out of memory')
    ? 'container init was OOM-killed (memory limit too low?)'
    : `container init ${how}`
}

function step(cause: ShimError): string {
  return cause.detail === '' ? '' : `${cause.detail}: `
}

function isLookUp(cause: ShimError): boolean {
  return ['PATH', 'stat', 'execve'].includes(cause.detail)
}

function lookUp(cause: ShimError, command: string): string {
  const name = JSON.stringify(command)
  if (cause.detail === 'PATH') return `exec: ${name}: executable file not found in $PATH`
  const isMissing = cause.code === 'ENOENT' || cause.code === 'ENOTDIR'
  return isMissing
    ? `exec: ${name}: stat ${command}: ${errnoText(cause.code)}`
    : `exec: ${name}: ${errnoText(cause.code)}`
}

/** strerror(3) as Go prints it. */
const TEXTS: Readonly<Record<string, string>> = {
  E2BIG: 'argument list too long',
  EACCES: 'permission denied',
  EBUSY: 'device or resource busy',
  EINVAL: 'invalid argument',
  EISDIR: 'is a directory',
  ELOOP: 'too many levels of symbolic links',
  ENAMETOOLONG: 'file name too long',
  ENODEV: 'no such device',
  ENOENT: 'no such file or directory',
  ENOEXEC: 'exec format error',
  ENOMEM: 'cannot allocate memory',
  ENOSPC: 'no space left on device',
  ENOTDIR: 'not a directory',
  EPERM: 'operation not permitted',
  ERANGE: 'numerical result out of range',
  EROFS: 'read-only file system',
  ESRCH: 'no such process',
  ETXTBSY: 'text file busy',
}

export function errnoText(code: string): string {
  return TEXTS[code] ?? code
}
