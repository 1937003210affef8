import { errnoText } from '@ctr/errdefs'
import { ShimError } from '@ctr/shim'
import { invalidArgument } from './errors.ts'

/** A failed launch in runc's words: docker, podman and containerd look for some of them. */
export function explainFailure(
  error: unknown,
  command: string,
  o: { readonly hasCpus?: boolean } = {},
): unknown {
  if (!(error instanceof ShimError)) return error
  const isScheduler = error.operation?.op === 'sched_attr' && error.code === 'EPERM'
  const text =
    isScheduler && o.hasCpus === true
      ? inInit("process scheduler can't be used together with AllowedCPUs")
      : reason(error, command)
  return invalidArgument(`unable to start container process: ${text}`)
}

function reason(error: ShimError, command: string): string {
  const { operation, code, detail } = error
  if (code === 'ECHILD') return inInit(died(detail))
  if (['PATH', 'stat', 'execve'].includes(detail)) return lookUp(error, command)
  const text = errnoText(code)
  if (operation?.op === 'chdir') {
    return `chdir to cwd (${JSON.stringify(operation.path)}) set in config.json failed: ${text}`
  }
  if (operation?.op === 'mount' && /^(proc|sysfs)$/.test(operation.type) && isNoDirectory(code)) {
    const { source, target, type } = operation
    return inInit(
      `error mounting ${JSON.stringify(source)} to rootfs at ${JSON.stringify(target)}: filesystem ${JSON.stringify(type)} must be mounted on ordinary directory`,
    )
  }
  if (operation?.op === 'bind' || operation?.op === 'mount') {
    const { source, target } = operation
    const step = detail === '' ? '' : `${detail}: `
    return inInit(
      `error mounting ${JSON.stringify(source)} to rootfs at ${JSON.stringify(target)}: ${step}${text}`,
    )
  }
  if (operation?.op === 'attach') {
    const step = detail === '' ? '' : `${detail}: `
    return inInit(`error mounting to rootfs at ${JSON.stringify(operation.target)}: ${step}${text}`)
  }
  if (operation?.op === 'set_mempolicy') return inInit(`set_mempolicy: ${text}`)
  if (operation?.op === 'net_device') return netDevice(operation.name, detail, code)
  if (operation?.op === 'clone' && detail === 'open cgroup') {
    return inInit(`error adding pid to cgroups: ${operation.cgroup}: ${text}`)
  }
  if (operation?.op === 'write' && operation.path.endsWith('/tasks')) {
    return inInit(`error adding pid to cgroups: ${operation.path}: ${text}`)
  }
  if (operation?.op === 'write') {
    const value = JSON.stringify(Buffer.from(operation.data).toString())
    return inInit(
      `error setting cgroup config for procHooks process: failed to write ${value}: write ${operation.path}: ${text}`,
    )
  }
  return inInit(`${error.message} (${text})`)
}

/** `step`: of native/net_device.c. */
function netDevice(name: string, step: string, code: string): string {
  const text = code === 'ENODEV' ? 'Link not found' : errnoText(code)
  const said: Readonly<Record<string, string>> = {
    link: `link not found for interface ${name} on runtime namespace`,
    down: 'fail to set link down',
    addresses: `fail to get ip addresses on network device ${name}`,
    move: `fail to move network device ${name} to network namespace`,
    enter: `link not found for interface ${name} on namespace`,
    address: `fail to set up address of interface ${name}`,
    up: `fail to set up interface ${name}`,
  }
  return `error moving network device to container: move netDevice ${name}: ${said[step] ?? step}: ${text}`
}

/** A symlink, or a file. */
function isNoDirectory(code: string): boolean {
  return code === 'ELOOP' || code === 'ENOTDIR'
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

function lookUp(cause: ShimError, command: string): string {
  const name = JSON.stringify(command)
  // The program is there: what it names as its interpreter may not be.
  if (cause.detail === 'execve') return `exec ${command}: ${errnoText(cause.code)}`
  if (cause.detail === 'PATH') return `exec: ${name}: executable file not found in $PATH`
  const isMissing = cause.code === 'ENOENT' || cause.code === 'ENOTDIR'
  return isMissing
    ? `exec: ${name}: stat ${command}: ${errnoText(cause.code)}`
    : `exec: ${name}: ${errnoText(cause.code)}`
}
