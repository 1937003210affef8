import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from '../command.ts'
import { allPages } from '../man/pages.ts'
import { printLine } from '../output/write.ts'

/** For packagers, and for `man -l`. */
export const command: Command = {
  usage: 'DIRECTORY',
  summary: 'Write the manual pages of all commands into a directory',
  flags: [],
  args: { min: 1, max: 1 },
  examples: [
    {
      text: 'For everybody on this machine',
      command: 'ctr __man /usr/local/share/man/man1 && man ctr-run',
    },
  ],
  async run(_context, { args }) {
    const directory = args[0] as string
    mkdirSync(directory, { recursive: true })
    const pages = await allPages()
    for (const { file, text } of pages) writeFileSync(join(directory, file), text)
    printLine(`${pages.length} pages`)
  },
}
