import { messageOf } from '@ctr/errdefs'
import { Template } from '@ctr/template'
import { ExitError } from '../command.ts'
import { printLine } from '../output/write.ts'

/** `--format` of commands that show one thing: `json` or a template. */
export function printObject(
  format: string,
  value: unknown,
  /** Go's name of the value's type, and docker's of the template, for messages. */
  names: { readonly type: string; readonly template?: string },
): void {
  if (format === 'json') {
    printLine(JSON.stringify(value))
    return
  }
  let template: Template
  try {
    template = new Template(format.replaceAll('\\t', '\t').replaceAll('\\n', '\n'), {
      name: names.template ?? '',
      missingField: (name) => `can't evaluate field ${name} in type ${names.type}`,
    })
  } catch (error) {
    throw new ExitError(64, `template parsing error: ${messageOf(error)}`)
  }
  try {
    printLine(template.execute(value))
  } catch (error) {
    // What was printed so far ends with a line, as in docker.
    printLine('')
    throw new ExitError(1, messageOf(error))
  }
}
