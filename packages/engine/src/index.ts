/**
 * Containers, execs, volumes and events of one data root. Every function takes the engine first. What happens between
 * the parts (supervision, recovery, queues) is not exported: `openEngine` starts it.
 */
export { type CheckpointRequest, createCheckpoint } from './checkpoint/create.ts'
export { listCheckpoints, removeCheckpoint } from './checkpoint/directory.ts'
export { type ExportRequest, exportCheckpoint } from './checkpoint/export.ts'
export { importCheckpoint } from './checkpoint/import.ts'
export type { CheckpointReference } from './checkpoint/restore.ts'
export { type Clock, systemClock } from './clock.ts'
export { DEFAULT_ENGINE_CONFIG, type EngineConfig } from './config.ts'
export {
  type AttachOptions,
  type AttachSession,
  attachContainer,
  resizeContainer,
} from './container/attach.ts'
export { type CommitRequest, commitContainer } from './container/commit.ts'
export { configuredNames } from './container/configured-networks.ts'
export type { Container, ContainerRecord, MountPoint } from './container/container.ts'
export { assertPlatform, type CreateRequest, createContainer } from './container/create.ts'
export { explainContainer } from './container/explain.ts'
export { keepContainer } from './container/keep.ts'
export { killContainer } from './container/kill.ts'
export { checkDefaultLog } from './container/log-options.ts'
export { containerLogs, type LogOptions } from './container/logs.ts'
export { pauseContainer, unpauseContainer } from './container/pause.ts'
export { type ContainerPlaces, containerPlaces } from './container/places.ts'
export {
  CONTAINER_FILTERS,
  getContainer,
  type Listed,
  type ListOptions,
  listContainers,
} from './container/query.ts'
export { type RemoveOptions, removeContainer } from './container/remove.ts'
export { renameContainer } from './container/rename.ts'
export { replaceContainer } from './container/replace.ts'
export { restartContainer } from './container/restart.ts'
export { type ContainerSizes, containerSize } from './container/size.ts'
export { type StartOptions, startContainer } from './container/start.ts'
export {
  type ContainerState,
  type ContainerStatus,
  isAlive,
  isCheckpointed,
} from './container/state.ts'
export { containerStats } from './container/stats.ts'
export { type StopOptions, stopContainer } from './container/stop.ts'
export { storageSize } from './container/storage-size.ts'
export { type Processes, topContainer } from './container/top.ts'
export { updateContainer } from './container/update.ts'
export { type WaitCondition, waitContainer, waitedAlready } from './container/wait.ts'
export type { WaitResult } from './container/waiters.ts'
export { type DiskUsage, diskUsage } from './disk-usage.ts'
export type { Engine } from './engine.ts'
export type { EngineEvent, EventType, NewEvent } from './events.ts'
export { attachExec } from './exec/attach.ts'
export { getExec, resizeExec, signalExec } from './exec/control.ts'
export { createExec } from './exec/create.ts'
export { keepExec, waitExec } from './exec/hold.ts'
export { type ExecListOptions, listExecs } from './exec/list.ts'
export type { Exec, ExecState } from './exec/registry.ts'
export { type ExecSession, type ExecStartOptions, startExec } from './exec/start.ts'
export { type ExtractOptions, extractArchive, readArchive, statPath } from './filesystem/archive.ts'
export { type Change, containerChanges } from './filesystem/changes.ts'
export { exportContainer } from './filesystem/export.ts'
export { matchesAny } from './go-regexp.ts'
export type { Health, HealthStatus, ProbeResult } from './health/health.ts'
export { type HealthCondition, waitForHealth } from './health/wait.ts'
export { type ImportRequest, importImage } from './image/import.ts'
export { loadImages } from './image/load.ts'
export { pruneImages } from './image/prune.ts'
export { pullAllTags, pullImage } from './image/pull.ts'
export { pushImage } from './image/push.ts'
export { removeImage } from './image/remove.ts'
export { saveImages } from './image/save.ts'
export { tagImage } from './image/tag.ts'
export { type EngineInfo, engineInfo } from './info.ts'
export { type Logger, SILENT } from './logger.ts'
export {
  connectNetwork,
  createNetwork,
  disconnectNetwork,
  pruneNetworks,
  removeNetwork,
} from './network/operations.ts'
export { openEngine } from './open.ts'
export { type PruneOptions, pruneContainers, pruneVolumes } from './prune.ts'
export { reconfigureEngine } from './reconfigure.ts'
export {
  createSecret,
  getSecret,
  listSecrets,
  removeSecret,
  SECRET_FILTERS,
  updateSecret,
} from './secret/operations.ts'
export type { Secret } from './secret/registry.ts'
export { type EventQuery, subscribeEvents } from './subscribe.ts'
export { createVolume, type VolumeRequest } from './volume/create.ts'
export { getVolume, listVolumes, VOLUME_FILTERS } from './volume/query.ts'
export type { Volume } from './volume/registry.ts'
export { removeVolume } from './volume/remove.ts'
export { countBuffer } from './young-buffers.ts'
