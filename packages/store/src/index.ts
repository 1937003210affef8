export {
  type ContainerDocumentsRow,
  type ContainerRow,
  type ContainerStateRow,
  ContainerTable,
  type MountRow,
} from './containers.ts'
export type { EndpointNames, EndpointRow, PublishedPortRow } from './endpoint-rows.ts'
export { EndpointTable } from './endpoints.ts'
export { type EventRow, EventTable } from './events.ts'
export { type ExecRow, ExecTable } from './execs.ts'
export { type HealthRow, HealthTable } from './health.ts'
export {
  type BlobRow,
  type ImageNameRow,
  type ImageRow,
  ImageTable,
  type LayerRow,
} from './images.ts'
export { getOrCreateMeta } from './meta.ts'
export { type AttachmentRow, NameTable } from './names.ts'
export {
  type NetworkDriver,
  type NetworkRow,
  NetworkTable,
  type PoolRequest,
  type PoolRow,
} from './networks.ts'
export { isStorageError, openStore, type Store, transaction, volatileTransaction } from './open.ts'
export { type SecretRow, SecretTable } from './secrets.ts'
export { type UserNamespaceRow, UserNamespaceTable } from './user-namespaces.ts'
export { type VolumeRow, VolumeTable } from './volumes.ts'
