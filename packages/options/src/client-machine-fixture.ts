import { resolve } from 'node:path'
import type { ClientMachine } from './client-machine.ts'
import { readUserFile } from './open-file.ts'

/** This machine, but for its environment, with `/home/me` as the current directory. */
export function machineWith(variables: Readonly<Record<string, string>> = {}): ClientMachine {
  return {
    variable: (name) => variables[name],
    readFile: readUserFile,
    absolutePath: (path) => resolve('/home/me', path),
  }
}
