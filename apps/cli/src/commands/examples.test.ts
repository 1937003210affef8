import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseFlags } from '@ctr/options'
import { GLOBAL_FLAGS } from '../global-flags.ts'
import { COMMANDS, type Entry } from './index.ts'
import { resolveCommand } from './resolve.ts'

/** Every command shows how it is used, and what it shows is a command line that it accepts. */
describe('examples', () => {
  for (const [path, entry] of leaves(COMMANDS, '')) {
    test(path, async () => {
      const { command } = await entry.load()
      assert.ok((command.examples ?? []).length > 0, 'has none')
      for (const { text, command: line } of command.examples ?? []) {
        assert.match(text, /^\S.*[^.\s]$/)
        for (const words of commandLines(line)) await assertAccepted(words)
      }
    })
  }
})

function leaves(
  entries: Readonly<Record<string, Entry>>,
  path: string,
): [string, Extract<Entry, { kind: 'command' }>][] {
  return Object.entries(entries).flatMap(([name, entry]) => {
    const here = `${path} ${name}`.trim()
    if (entry.kind === 'group') return leaves(entry.children, here)
    return entry.isHidden ? [] : [[here, entry] as const].map(([at, leaf]) => [at, leaf])
  })
}

async function assertAccepted(words: readonly string[]): Promise<void> {
  const globals = parseFlags(GLOBAL_FLAGS, words, { interspersed: false })
  const { entry, rest } = resolveCommand(globals.args)
  assert.equal(entry?.kind, 'command', words.join(' '))
  const { command } = await (entry as Extract<Entry, { kind: 'command' }>).load()
  const form = command.forms?.[rest[0] ?? '']
  const chosen = form === undefined ? command : (await form.load()).command
  const { args } = parseFlags(chosen.flags, form === undefined ? rest : rest.slice(1), {
    interspersed: chosen.interspersed ?? true,
  })
  const { min, max = Infinity } = chosen.args
  assert.ok(
    args.length >= min && args.length <= max,
    `${words.join(' ')}: ${args.length} arguments`,
  )
}

/** The words behind `ctr` of each part of a pipe, as a shell sees them; what a `$(ctr …)` gives is one word. */
function commandLines(line: string): string[][] {
  const inner = [...line.matchAll(/\$\(([^)]*)\)/g)].map(([, text = '']) => text)
  const parts = [...line.replace(/\$\([^)]*\)/g, 'x').split(/ (?:\||&&) /), ...inner]
  return parts
    .map((part) =>
      [...part.matchAll(/(?:'[^']*'|"(?:\\.|[^"])*"|[^\s'"])+/g)]
        .map(([word]) => word.replaceAll(/'([^']*)'|"([^"]*)"/g, '$1$2'))
        .filter((word) => !word.startsWith('<') && !word.startsWith('>')),
    )
    .filter(([program]) => program === 'ctr')
    .map((words) => words.slice(1))
}
