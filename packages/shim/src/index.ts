export { initBinaryPath, shimBinaryPath } from './binary.ts'
export {
  ANSWER_TIMEOUT_MS,
  attachShim,
  connectShim,
  type ShimConnection,
} from './connection.ts'
export { describeOp } from './describe.ts'
export { encodeProgram, encodeStart } from './encode.ts'
export { type ExitRecord, exitRecord, readExitRecord } from './exit-record.ts'
export {
  decodeFault,
  encodeFrame,
  errnoName,
  type Fault,
  FRAMES,
  FrameReader,
  ShimError,
  u32s,
} from './frames.ts'
export type { Op, OpName, Program } from './ops.ts'
export {
  BIND_ATTR_RECURSIVE,
  BIND_NO_CREATE,
  BIND_RECURSIVE,
  BIND_SOURCE_IN_ROOT,
  BIND_SPREAD_RECURSIVE,
  HANDOVER_FOREGROUND,
  LOG_COMPRESS,
  LOG_NONE,
  NO_SLOT,
  RESTORE_NETWORK_FD,
  RESTORE_STDIO_FD,
  STDIO_INHERIT,
  STDIO_STDIN,
  STDIO_STDIN_ONCE,
  STDIO_TTY,
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
export { IN_ROOT, mountOptionWords } from './plan/mount-options.ts'
export { compileRestore } from './plan/restore.ts'
export { withContext } from './plan/root.ts'
export { compileStart, containerCgroup } from './plan/start.ts'
export { hostId, type IdMaps } from './plan/trees.ts'
export { findShim, killShim, type ShimProcess } from './shim-process.ts'
export { type ShimTask, Spawner, type SpawnerOptions } from './spawner.ts'
