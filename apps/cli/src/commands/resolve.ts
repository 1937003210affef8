import { COMMANDS, type Entry, type Group } from './index.ts'

export interface Resolved {
  readonly entry: Entry | undefined
  /** As typed: `ctr container run`. */
  readonly path: string
  readonly rest: readonly string[]
}

/** The command or group that the first words name, and what follows them. */
export function resolveCommand(args: readonly string[]): Resolved {
  let children: Group['children'] = COMMANDS
  let entry: Entry | undefined
  let path = 'ctr'
  for (const [index, name] of args.entries()) {
    const child = Object.hasOwn(children, name) ? children[name] : undefined
    if (child === undefined) return { entry, path, rest: args.slice(index) }
    entry = child
    path += ` ${name}`
    if (child.kind === 'command') return { entry, path, rest: args.slice(index + 1) }
    children = child.children
  }
  return { entry, path, rest: [] }
}
