import { textOfBytes } from '@ctr/api/raw-bytes'
import { nodeFs } from './node-modules.ts'

/** What the runtime puts for a byte that is not UTF-8; it may also be what was really there. */
const LOST = '\ufffd'

/** The arguments with all their bytes (`textOfBytes`), which the runtime has decoded with losses. */
export function rawArguments(argv: readonly string[]): readonly string[] {
  if (!argv.some((argument) => argument.includes(LOST))) return argv
  const all = strings('/proc/self/cmdline')
  return all.length < argv.length ? argv : all.slice(all.length - argv.length)
}

/** The value of a variable with all its bytes. */
export function rawVariable(name: string, value: string | undefined): string | undefined {
  if (value?.includes(LOST) !== true && name.isWellFormed()) return value
  const start = `${name}=`
  const found = strings('/proc/self/environ').find((variable) => variable.startsWith(start))
  return found?.slice(start.length) ?? value
}

/** NUL-terminated, as proc_pid_cmdline(5) and proc_pid_environ(5) have them. */
function strings(path: string): string[] {
  return textOfBytes(nodeFs().readFileSync(path)).split('\0').slice(0, -1)
}
