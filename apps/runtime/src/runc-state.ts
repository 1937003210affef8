import type { ContainerRecord } from './record.ts'
import { containerStatus } from './status.ts'

/** What `state` and `list` answer: the OCI state and runc's additions, in runc's order. */
export function runcState(root: string, record: ContainerRecord, owner: string): object {
  const status = containerStatus(root, record)
  const { annotations } = record.spec
  return {
    ociVersion: record.spec.ociVersion,
    id: record.id,
    pid: status === 'stopped' ? 0 : record.pid,
    status,
    bundle: record.bundle,
    rootfs: record.rootfs,
    created: record.created,
    ...(annotations === undefined || Object.keys(annotations).length === 0 ? {} : { annotations }),
    owner,
  }
}
