export type {
  ExecInput,
  HostFacts,
  LogTarget,
  NetworkPlan,
  RootFilesystem,
  StartInput,
  Stdio,
} from './plan/input.ts'
export type { Op, OpName, Program } from './ops.ts'
