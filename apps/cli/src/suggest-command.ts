import { nearest } from '@ctr/options'
import { COMMANDS, type Group } from './commands/index.ts'

/** A paragraph with the command that was probably meant, or nothing. */
export function suggestCommand(group: Group | undefined, path: string, name: string): string {
  const found = nearest(name, Object.keys(group?.children ?? COMMANDS))
  return found === undefined ? '' : `Did you mean '${path} ${found}'?\n\n`
}
