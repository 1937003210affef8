export { attachShim } from './attach.ts'
export { initBinaryPath, shimBinaryPath } from './binary.ts'
export {
  ANSWER_TIMEOUT_MS,
  connectShim,
  type HostPort,
  type ShimConnection,
} from './connection.ts'
export { describeOp } from './describe.ts'
export { type EncodedProgram, encode, encodeAhead, encodeStart } from './encode.ts'
export { type ExitRecord, readExitRecord } from './exit-record.ts'
export {
  decodeFault,
  encodeFrame,
  type Fault,
  FRAMES,
  FrameReader,
  ShimError,
  u32s,
} from './frames.ts'
export type { Op, OpName, Program } from './ops.ts'
export {
  BIND_NO_CREATE,
  BIND_RECURSIVE,
  BIND_SOURCE_BELOW_TARGET,
  BIND_SOURCE_IN_ROOT,
  LOG_COMPRESS,
} from './ops.ts'
export { compileExec } from './plan/exec.ts'
export { explainProgram } from './plan/explain.ts'
export type {
  ExecInput,
  Handover,
  HostFacts,
  LogTarget,
  NetworkPlan,
  RestoreInput,
  RootFilesystem,
  StartInput,
  Stdio,
} from './plan/input.ts'
export { MEMORY_FLAGS, MEMORY_MODES } from './plan/memory-policy.ts'
export { BELOW_TARGET, IN_ROOT, mountOptionWords } from './plan/mount-options.ts'
export { compileRestore } from './plan/restore.ts'
export { withContext } from './plan/root.ts'
export { compileStart, containerCgroup } from './plan/start.ts'
export { hostId, type IdMaps } from './plan/trees.ts'
export { type Protocol, protocolName, protocolNumber } from './protocol-number.ts'
export { findShim, killShim, type ShimProcess } from './shim-process.ts'
export { type ShimTask, Spawner, type SpawnerOptions } from './spawner.ts'
export type { StreamingConnection } from './streaming-connection.ts'
export { ProgramTemplate } from './template.ts'
