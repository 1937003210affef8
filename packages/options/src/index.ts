// How a command line is read, and what its options ask of the API. Help is the client's: only it shows options.
export { canExecAtOnce, canRunAtOnce } from './at-once.ts'
export { parseBytes, parseSwap } from './bytes.ts'
export type { ClientMachine } from './client-machine.ts'
export {
  type CommandLine,
  type ExecCommand,
  type RunCommand,
  readCommandLine,
} from './command-line.ts'
export { CONTAINER_FLAGS, RUN_FLAGS } from './container-flags.ts'
export { type ContainerRequest, containerRequest } from './container-request.ts'
export { parseCpus } from './cpus.ts'
export { parseCsv } from './csv.ts'
export { type Ignores, parseDockerignore } from './dockerignore.ts'
export { parseDuration } from './duration.ts'
export {
  daemonErrorText,
  type End,
  EXIT_USAGE,
  runErrorText,
  runFailureEnd,
  startErrorStatus,
  waitEnd,
} from './ends.ts'
export { checkEnvironment, checkLabel, keyValueMap, readEnvironment } from './environment.ts'
export { EXEC_FLAGS, EXEC_FORMS } from './exec-flags.ts'
export { type ExecInput, execRequest } from './exec-request.ts'
export { checkFilter, FILTER_FLAG, parseFilters } from './filter.ts'
export { type Flag, FlagValues } from './flag.ts'
export { ipamPools } from './ipam.ts'
export { fileError, readUserFile } from './open-file.ts'
export { FlagError, type Parsed, parseFlags } from './parse.ts'
export { compilePathPattern, isPathPattern } from './path-pattern.ts'
export { checkPlatform } from './platform.ts'
export { checkImage, familiarReference, parseReference, registryOf } from './reference.ts'
export { isHttpUrl, isRemoteContext } from './remote-context.ts'
export { parseRestartPolicy } from './restart.ts'
export { nearest } from './suggest.ts'
export { parseTime } from './time.ts'
export { Timeline } from './timeline.ts'
export { parseUlimits } from './ulimit.ts'
