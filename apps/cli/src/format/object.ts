import { Template } from '@ctr/template'
import { ExitError } from '../command.ts'
import { messageOf } from '../error-message.ts'
import { printLine } from '../output/write.ts'

/** `--format` of commands that show one thing: `json` or a template. */
export function printObject(format: string, value: unknown): void {
  if (format === 'json') {
    printLine(JSON.stringify(value))
    return
  }
  let template: Template
  try {
    template = new Template(format.replaceAll('\\t', '\t').replaceAll('\\n', '\n'))
  } catch (error) {
    throw new ExitError(64, `template parsing error: ${messageOf(error)}`)
  }
  try {
    printLine(template.execute(value))
  } catch (error) {
    throw new ExitError(1, messageOf(error))
  }
}
