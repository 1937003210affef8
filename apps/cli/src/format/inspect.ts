import { messageOf } from '@ctr/errdefs'
import type { Flag } from '@ctr/options'
import { Template } from '@ctr/template'
import { ExitError } from '../command.ts'
import { printError, printLine, writeOut } from '../output/write.ts'
import { indentJson } from './indent-json.ts'
import { addZeroValues } from './zero-values.ts'

/** What the inspect commands share: documents as the daemon wrote them, or a template over each. */
export const INSPECT_FORMAT_FLAG: Flag = {
  name: 'format',
  short: 'f',
  kind: 'string',
  help: "Format output using a custom template:\n'json':             Print in JSON format\n'TEMPLATE':         Print output using the given Go template",
}

/** Prints what was found, then the errors; status 1 when there were any. */
export async function inspectEach(
  refs: readonly string[],
  format: string,
  /** The document's JSON text. */
  get: (ref: string) => Promise<string>,
  describe: (error: unknown, ref: string) => string,
): Promise<void> {
  const template = format === '' || format === 'json' ? undefined : compile(format)
  const texts: string[] = []
  const errors: string[] = []
  for (const ref of refs) {
    try {
      texts.push((await get(ref)).trim())
    } catch (error) {
      errors.push(describe(error, ref))
    }
  }
  if (format === '') writeOut(`${indentJson(`[${texts.join(',')}]`, '', '    ')}\n`)
  else if (template === undefined) printLine(`[${texts.join(',')}]`)
  else for (const text of texts) printLine(execute(template, text))
  if (format !== '' && texts.length === 0 && template !== undefined) printLine('')
  for (const error of errors) printError(error)
  if (errors.length > 0) throw new ExitError(1, '', new Error(errors.join('\n')))
}

function compile(format: string): Template {
  try {
    return new Template(format)
  } catch (error) {
    throw new ExitError(64, `template parsing error: ${messageOf(error)}`)
  }
}

function execute(template: Template, text: string): string {
  try {
    const document: unknown = JSON.parse(text)
    addZeroValues(document)
    return template.execute(document)
  } catch (error) {
    // What was printed so far ends with a line, as in docker.
    printLine('')
    throw new ExitError(1, `template parsing error: ${messageOf(error)}`)
  }
}
