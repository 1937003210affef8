import { type Engine, tagImage } from '@ctr/engine'
import { EngineError, invalid } from '@ctr/errdefs'
import { familiarReference, parseReference, shortId, withDefaultTag } from '@ctr/oci'
import { findBaseImage } from './base-image.ts'
import { BuildArgs } from './build-args.ts'
import { BuildCache } from './cache.ts'
import { expandWord } from './dockerfile/expand.ts'
import { type Dockerfile, type Stage, type Step, stagesUpTo } from './dockerfile/stages.ts'
import type { BuildOutput, BuildRequest } from './request.ts'
import { type BuildEnvironment, StageBuilder } from './stage-builder.ts'
import { BuiltStages } from './stages.ts'
import type { Tree } from './tree.ts'

/** Builds what a Dockerfile says, stage by stage, and names the result. Gives its image's id. */
export async function build(
  engine: Engine,
  dockerfile: Dockerfile,
  context: Tree,
  request: BuildRequest,
  output: BuildOutput,
): Promise<string> {
  const stages = withLabels(stagesUpTo(dockerfile.stages, request.target), request.labels)
  if (dockerfile.warnings.length > 0) output.errors(`${dockerfile.warnings.join('\n')}\n`)
  const env: BuildEnvironment = {
    engine,
    request,
    output,
    context,
    cache: new BuildCache(engine, { isOff: request.isUncached, from: request.cacheFrom }),
    args: new BuildArgs(request.args),
    stages: new BuiltStages(),
    escape: dockerfile.escape,
  }
  const steps = new StepLines(output, dockerfile.metaArgs, stages)
  for (const step of dockerfile.metaArgs) {
    steps.begin(step)
    for (const arg of step.instruction.args) {
      const value =
        'value' in arg ? expandWord(arg.value, env.args.metaValues(), env.escape) : undefined
      env.args.declareMeta(arg.key, value)
    }
  }
  let imageId = ''
  for (const stage of stages) imageId = await buildStage(env, stage, steps)
  const unused = env.args.unused()
  if (unused.length > 0) {
    output.text(`[Warning] One or more build-args [${unused.join(' ')}] were not consumed\n`)
  }
  if (imageId === '') throw invalid('No image was generated. Is your Dockerfile empty?')
  output.text(`Successfully built ${shortId(imageId)}\n`)
  for (const tag of request.tags) {
    tagImage(engine, imageId, tag)
    output.text(`Successfully tagged ${shownTag(tag)}\n`)
  }
  return imageId
}

async function buildStage(env: BuildEnvironment, stage: Stage, steps: StepLines): Promise<string> {
  const { output, stages, args, cache } = env
  const { stage: name } = stage.from.instruction
  stages.assertNameFree(name)
  steps.begin(stage.from)
  cache.beginStage()
  const builder = new StageBuilder(env, await findBase(env, stage))
  await builder.runTriggers()
  output.text(` ---> ${shortId(builder.imageId)}\n`)
  for (const step of stage.steps) {
    steps.begin(step)
    await builder.step(step.instruction)
    output.text(` ---> ${shortId(builder.imageId)}\n`)
  }
  if (builder.imageId !== '') output.image(builder.imageId)
  args.endStage()
  stages.add(name, builder.imageId)
  return builder.imageId
}

/** Undefined: `scratch`. */
async function findBase(env: BuildEnvironment, stage: Stage): Promise<string | undefined> {
  const { engine, request, output, args, escape } = env
  const { instruction } = stage.from
  const values = args.metaValues()
  const base = expandWord(instruction.base, values, escape)
  const platform = expandWord(instruction.platform, values, escape) || request.platform
  if (base === '') throw invalid(`base name (${instruction.base}) should not be blank`)
  const earlier = env.stages.named(base)
  if (earlier !== undefined) return earlier === '' ? undefined : earlier
  if (base === 'scratch') return undefined
  const image = await findBaseImage(engine, base, platform, request, output)
  return image.id
}

/** `labels` of the request are as if they stood at the end of the file. */
function withLabels(
  stages: readonly Stage[],
  labels: Readonly<Record<string, string>>,
): readonly Stage[] {
  const last = stages.at(-1)
  if (last === undefined) throw new EngineError('INTERNAL', 'a Dockerfile without stages')
  const added = Object.keys(labels)
    .sort()
    .map((key): Step => {
      const value = labels[key] ?? ''
      const instruction = { name: 'LABEL', pairs: [{ key, value }], isLiteral: true } as const
      return { text: `LABEL ${key}=${value}`, instruction }
    })
  return [...stages.slice(0, -1), { ...last, steps: [...last.steps, ...added] }]
}

/** `Step 2/7 : RUN make`. */
class StepLines {
  readonly #output: BuildOutput
  readonly #total: number
  #count = 0

  constructor(output: BuildOutput, metaArgs: readonly unknown[], stages: readonly Stage[]) {
    this.#output = output
    this.#total = stages.reduce((sum, { steps }) => sum + 1 + steps.length, metaArgs.length)
  }

  begin({ text }: Step): void {
    this.#count += 1
    this.#output.text(`Step ${this.#count}/${this.#total} : ${text}`)
    this.#output.text('\n')
  }
}

function shownTag(tag: string): string {
  return familiarReference(withDefaultTag(parseReference(tag)))
}
