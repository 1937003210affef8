export type {
  ExecInput,
  HostFacts,
  LogTarget,
  NetworkPlan,
  RootFilesystem,
  StartInput,
  Stdio,
} from './plan/input.ts'
