import { COMMANDS, type Entry, type Group } from '../commands/index.ts'
import { GLOBAL_FLAGS } from '../global-flags.ts'
import { CLI_VERSION } from '../version-line.ts'
import { commandPage, ENVIRONMENT, groupPage, type Page } from './page.ts'

/** Of every command and group that is not hidden. */
export async function allPages(): Promise<Page[]> {
  const root = { kind: 'group', summary: 'a container engine', children: COMMANDS } as const
  const options = { flags: GLOBAL_FLAGS, more: [ENVIRONMENT] }
  return await groupPages('ctr', root, options)
}

async function groupPages(
  path: string,
  group: Group,
  options: Parameters<typeof groupPage>[4] = {},
): Promise<Page[]> {
  const children = Object.entries(group.children).filter(([, entry]) => !isHidden(entry))
  const related = children.map(([name, { summary }]) => ({ name, summary }))
  const pages = [groupPage(path, group, related, CLI_VERSION, options)]
  for (const [name, entry] of children) {
    const inner = `${path} ${name}`
    if (entry.kind === 'group') pages.push(...(await groupPages(inner, entry)))
    else pages.push(commandPage(inner, (await entry.load()).command, CLI_VERSION))
  }
  return pages
}

function isHidden(entry: Entry): boolean {
  return entry.kind === 'command' && entry.isHidden
}
