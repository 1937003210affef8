import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isErrno } from '@ctr/errdefs'
import type { RuntimeIntelRdt } from '@ctr/oci'
import { invalidArgument } from './errors.ts'
import type { ContainerRecord } from './record.ts'

/**
 * `linux.intelRdt`: shares of the processor's cache and memory bandwidth, by groups (classes of service) of the resctrl
 * filesystem. The texts are runc's. runtime-spec config-linux.md#intelrdt, Documentation/arch/x86/resctrl.rst
 */

/** Where resctrl is mounted; undefined: nowhere. */
export function resctrlRoot(
  mountinfo: string = readFileSync('/proc/self/mountinfo', 'utf8'),
): string | undefined {
  const line = mountinfo.split('\n').find((one) => / - resctrl /.test(one))
  return line?.split(' ')[4]
}

/** What the group of a container is, and where its processes are written to. */
export interface RdtGroup {
  readonly path: string
  /** Of the group, or of the monitoring group in it. */
  readonly tasks: string
  /** It is the container's own, and goes with it. */
  readonly isOwn: boolean
}

/** INVALID_ARGUMENT for what this host does not have. */
export function checkIntelRdt(rdt: RuntimeIntelRdt, root: string | undefined): void {
  const { closID = '', l3CacheSchema = '', memBwSchema = '' } = rdt
  if (closID === '.' || closID === '..' || closID.includes('/')) {
    throw invalidArgument(`invalid intelRdt.ClosID ${JSON.stringify(closID)}`)
  }
  if (l3CacheSchema !== '' && !hasResource(root, 'L3')) {
    throw invalidArgument(
      'intelRdt.l3CacheSchema is specified in config, but Intel RDT/CAT is not enabled',
    )
  }
  if (memBwSchema !== '' && !hasResource(root, 'MB')) {
    throw invalidArgument(
      'intelRdt.memBwSchema is specified in config, but Intel RDT/MBA is not enabled',
    )
  }
  if (root === undefined) {
    throw invalidArgument('intelRdt is specified in config, but Intel RDT is not enabled')
  }
}

function hasResource(root: string | undefined, name: 'L3' | 'MB'): boolean {
  return root !== undefined && existsSync(join(root, 'info', name))
}

/** Undefined where the config says nothing of it, or the filesystem has gone. */
export function findRdtGroup(
  rdt: RuntimeIntelRdt | null | undefined,
  id: string,
  root: string | undefined,
): RdtGroup | undefined {
  if (rdt === undefined || rdt === null || root === undefined) return undefined
  const { closID = '', enableMonitoring = false } = rdt
  const path = join(root, closID === '' ? id : closID)
  const monitored = enableMonitoring ? join(path, 'mon_groups', id) : path
  return { path, tasks: join(monitored, 'tasks'), isOwn: closID === '' }
}

/** Makes the group, unless it is one of others that nothing is said about, and writes its schemata. */
export function makeRdtGroup(rdt: RuntimeIntelRdt, group: RdtGroup, root: string): void {
  const lines = schemata(rdt)
  if (!group.isOwn && lines.length === 0 && !existsSync(group.path)) {
    throw invalidArgument(
      `unable to apply Intel RDT configuration: clos dir not accessible (must be pre-created when schemata, l3CacheSchema and memBwSchema are empty): stat ${group.path}: no such file or directory`,
    )
  }
  try {
    mkdirSync(group.path, { recursive: true, mode: 0o755 })
    if (lines.length > 0) writeFileSync(join(group.path, 'schemata'), `${lines.join('\n')}\n`)
    mkdirSync(join(group.tasks, '..'), { recursive: true, mode: 0o755 })
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    throw invalidArgument(`unable to apply Intel RDT configuration: ${message}${lastStatus(root)}`)
  }
}

/** The group of a container that has ended; that of others stays, without what was monitored of this one. */
export function removeRdtGroup(group: RdtGroup | undefined): void {
  if (group === undefined) return
  const own = group.isOwn ? group.path : join(group.tasks, '..')
  if (!group.isOwn && own === group.path) return
  try {
    // The files in it are the kernel's, and go with it.
    rmdirSync(own)
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
  }
}

/** What a running container has from now on; a container without a group gets one. INVALID_ARGUMENT */
export function updateRdt(
  { id, pid, spec }: Pick<ContainerRecord, 'id' | 'pid' | 'spec'>,
  wanted: { readonly l3CacheSchema: string; readonly memBwSchema: string },
  root: string | undefined = resctrlRoot(),
): RuntimeIntelRdt | undefined {
  const old = spec.linux?.intelRdt ?? undefined
  const { l3CacheSchema, memBwSchema } = wanted
  if (l3CacheSchema === '' && memBwSchema === '') return old
  if (l3CacheSchema !== '' && !hasResource(root, 'L3')) {
    throw invalidArgument('Intel RDT/CAT: l3 cache schema is not enabled')
  }
  if (memBwSchema !== '' && !hasResource(root, 'MB')) {
    throw invalidArgument('Intel RDT/MBA: memory bandwidth schema is not enabled')
  }
  const updated = {
    ...old,
    ...(l3CacheSchema === '' ? {} : { l3CacheSchema }),
    ...(memBwSchema === '' ? {} : { memBwSchema }),
  }
  const group = findRdtGroup(updated, id, root)
  if (group === undefined || root === undefined) return old
  makeRdtGroup(updated, group, root)
  if (old === undefined) writeFileSync(group.tasks, String(pid))
  return updated
}

/** runc 1.4 writes the new field first, the old ones last: of two lines for the same resource the last one counts. */
function schemata({
  schemata = [],
  l3CacheSchema = '',
  memBwSchema = '',
}: RuntimeIntelRdt): string[] {
  return [...schemata, l3CacheSchema, memBwSchema].filter((line) => line !== '')
}

/** Why the kernel refused. */
function lastStatus(root: string): string {
  try {
    const status = readFileSync(join(root, 'info/last_cmd_status'), 'utf8').trim()
    return `, last_cmd_status: ${status}`
  } catch {
    return ''
  }
}
