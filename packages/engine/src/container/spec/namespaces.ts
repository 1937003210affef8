import { defaultNamespaces, type NamespaceType, type RuntimeNamespace } from '@ctr/oci'
import { namespaceOfMode } from '../modes.ts'
import type { SpecInput } from './input.ts'

export function compileNamespaces(input: SpecInput): RuntimeNamespace[] {
  const { hostConfig } = input.container
  const shared = new Set<NamespaceType>()
  if (hostConfig.NetworkMode === 'host') shared.add('network')
  if (hostConfig.PidMode === 'host') shared.add('pid')
  if (hostConfig.IpcMode === 'host') shared.add('ipc')
  if (hostConfig.UTSMode === 'host') shared.add('uts')
  const isCgroupPrivate = hostConfig.CgroupnsMode === 'private'
  const given: Readonly<Partial<Record<NamespaceType, string | undefined>>> = {
    network: namespaceOfMode(hostConfig.NetworkMode),
    pid: namespaceOfMode(hostConfig.PidMode),
    ipc: namespaceOfMode(hostConfig.IpcMode),
    uts: namespaceOfMode(hostConfig.UTSMode),
  }
  const own: RuntimeNamespace[] = input.idMaps === undefined ? [] : [{ type: 'user' }]
  return [...defaultNamespaces({ hasCgroupNamespace: isCgroupPrivate }), ...own]
    .filter(({ type }) => !shared.has(type))
    .map(({ type }) => {
      const path = given[type]
      if (path !== undefined) return { type, path }
      const pid = input.joined[type]
      return pid === undefined ? { type } : { type, path: namespacePath(pid, type) }
    })
}

/** Names in /proc/PID/ns. namespaces(7) */
export const NAMESPACE_FILES: Readonly<Record<NamespaceType, string>> = {
  mount: 'mnt',
  pid: 'pid',
  network: 'net',
  ipc: 'ipc',
  uts: 'uts',
  user: 'user',
  cgroup: 'cgroup',
  time: 'time',
}

export function namespacePath(pid: number, type: NamespaceType): string {
  return `/proc/${pid}/ns/${NAMESPACE_FILES[type]}`
}
