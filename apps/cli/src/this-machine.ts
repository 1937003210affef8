import { type ClientMachine, readUserFile } from '@ctr/options'
import { nodePath } from './node-modules.ts'
import { rawVariable } from './raw-process.ts'

/** The machine that we run on, for the options that take something from it. */
export function thisMachine(
  environment: Readonly<Record<string, string | undefined>>,
): ClientMachine {
  return {
    variable: (name) => rawVariable(name, environment[name]),
    readFile: readUserFile,
    absolutePath: (path) => nodePath().resolve(path),
  }
}
