export type { Op, OpName, Program } from './ops.ts'
export { compileExec } from './plan/exec.ts'
export { explainProgram } from './plan/explain.ts'
export type {
  ExecInput,
  HostFacts,
  LogTarget,
  NetworkPlan,
  RootFilesystem,
  StartInput,
  Stdio,
} from './plan/input.ts'
export { compileStart, containerCgroup } from './plan/start.ts'
