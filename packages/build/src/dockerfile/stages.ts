import { invalid } from '@ctr/errdefs'
import { type From, type Instruction, parseInstruction } from './instruction.ts'
import { type Escape, readLines } from './lines.ts'

/** An instruction, and what stands in the file for it. */
export interface Step<I extends Instruction = Instruction> {
  readonly text: string
  readonly instruction: I
}

export interface Stage {
  readonly from: Step<From>
  readonly steps: readonly Step[]
}

export interface Dockerfile {
  /** ARG before the first FROM. */
  readonly metaArgs: readonly Step<Extract<Instruction, { readonly name: 'ARG' }>>[]
  readonly stages: readonly Stage[]
  readonly escape: Escape
  readonly warnings: readonly string[]
}

/** Reads all of a Dockerfile. Throws INVALID_ARGUMENT with dockerd's text, which names the line. */
export function parseDockerfile(file: string): Dockerfile {
  const { lines, escape, warnings } = readLines(file)
  if (lines.length === 0) throw invalid('failed to parse Dockerfile: file with no instructions')
  const metaArgs: Dockerfile['metaArgs'][number][] = []
  const stages: { from: Step<From>; steps: Step[] }[] = []
  for (const line of lines) {
    const instruction = parseInstruction(line, escape)
    const text = line.text.trim()
    const stage = stages.at(-1)
    if (instruction.name === 'FROM') stages.push({ from: { text, instruction }, steps: [] })
    else if (stage !== undefined) stage.steps.push({ text, instruction })
    else if (instruction.name === 'ARG') metaArgs.push({ text, instruction })
    else throw invalid('no build stage in current context')
  }
  if (stages.length === 0) throw invalid('dockerfile contains no stages to build')
  return { metaArgs, stages, escape, warnings }
}

/** Stages up to the one that is to be built, by name or number. */
export function stagesUpTo(stages: readonly Stage[], target: string): readonly Stage[] {
  if (target === '') return stages
  const named = stages.findLastIndex(
    ({ from }) => from.instruction.stage !== '' && from.instruction.stage === target.toLowerCase(),
  )
  const index = named === -1 && /^[0-9]{1,6}$/.test(target) ? Number(target) : named
  if (stages[index] === undefined) {
    throw invalid(`failed to reach build target ${target} in Dockerfile`)
  }
  return stages.slice(0, index + 1)
}
