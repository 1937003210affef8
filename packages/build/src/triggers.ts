import { invalid } from '@ctr/errdefs'
import { type Instruction, readLine } from './dockerfile/instruction.ts'
import { readLines } from './dockerfile/lines.ts'

/** ONBUILD of a base image, read: what a hostile image says is checked as what a file says. */
export function parseTrigger(text: string): Instruction {
  const { lines, escape } = readLines(text)
  const [line, ...others] = lines
  if (line === undefined || others.length > 0) {
    throw invalid('onbuild trigger should be a single expression')
  }
  const instruction = readLine(line, escape)
  switch (instruction.name) {
    case 'ONBUILD':
      throw invalid("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
    case 'FROM':
    case 'MAINTAINER':
      throw invalid(`${instruction.name} isn't allowed as an ONBUILD trigger`)
    default:
      return instruction
  }
}
