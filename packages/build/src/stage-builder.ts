import type { Engine } from '@ctr/engine'
import { EngineError, invalid } from '@ctr/errdefs'
import { encodeHeader, fromText, TAR_END, toText } from '@ctr/images'
import type { ImageExecConfig } from '@ctr/oci'
import { failedFrom, findBaseImage } from './base-image.ts'
import type { BuildArgs } from './build-args.ts'
import type { BuildCache } from './cache.ts'
import {
  commandWords,
  configure,
  environmentOf,
  type Setting,
  shellOf,
  workdirOf,
  workingDirectory,
} from './configure.ts'
import { newDirectory } from './copy-archive.ts'
import { prepareCopy } from './copy-step.ts'
import type { HereDocument } from './dockerfile/here-document.ts'
import type { Copy, Instruction } from './dockerfile/instruction.ts'
import type { Escape } from './dockerfile/lines.ts'
import { hashOf } from './document-source.ts'
import { expandInstruction } from './expand-instruction.ts'
import type { BuildOutput, BuildRequest } from './request.ts'
import { runStep } from './run-step.ts'
import type { BuiltStages } from './stages.ts'
import { Tree } from './tree.ts'
import { parseTrigger } from './triggers.ts'

/** What the steps of all stages work with. */
export interface BuildEnvironment {
  readonly engine: Engine
  readonly request: BuildRequest
  readonly output: BuildOutput
  readonly context: Tree
  readonly cache: BuildCache
  readonly args: BuildArgs
  readonly stages: BuiltStages
  readonly escape: Escape
}

/** A stage that is being built: every step makes an image on top of the one before it. */
export class StageBuilder {
  readonly #env: BuildEnvironment
  #imageId: string | undefined
  #config: ImageExecConfig
  #author = ''
  #isCmdSet = false

  /** `imageId` undefined: from `scratch`. */
  constructor(env: BuildEnvironment, imageId: string | undefined) {
    this.#env = env
    this.#imageId = imageId
    this.#config = imageId === undefined ? {} : (env.engine.images.get(imageId).config.config ?? {})
    const variables = this.#config.Env ?? []
    if (!variables.some((item) => item.startsWith('PATH='))) {
      this.#config = { ...this.#config, Env: [...variables, DEFAULT_PATH] }
    }
  }

  /** '' as long as there is none. */
  get imageId(): string {
    return this.#imageId ?? ''
  }

  /** What the base image wants to have done in every image that is made of it. */
  async runTriggers(): Promise<void> {
    const triggers = this.#config.OnBuild ?? []
    if (triggers.length === 0) return
    this.#config = { ...this.#config, OnBuild: undefined }
    const plural = triggers.length > 1 ? 's' : ''
    this.#env.output.text(`# Executing ${triggers.length} build trigger${plural}`)
    this.#env.output.text('\n')
    for (const trigger of triggers) await this.step(parseTrigger(trigger))
  }

  async step(raw: Instruction): Promise<void> {
    const { args, escape } = this.#env
    const env = environmentOf(this.#config)
    const instruction = expandInstruction(raw, new Map([...args.values(env), ...env]), escape)
    switch (instruction.name) {
      case 'FROM':
        throw new EngineError('INTERNAL', 'FROM is no step of a stage')
      case 'RUN':
        if (instruction.buildKitFlag !== '') throw needsBuildKit(instruction.buildKitFlag)
        await this.#run(commandWords(this.#config, instruction.command), instruction.script)
        return
      case 'ADD':
      case 'COPY':
        await this.#copy(instruction)
        return
      case 'WORKDIR':
        await this.#workdir(instruction.value)
        return
      case 'ARG':
        for (const arg of instruction.args) {
          args.declare(arg.key, 'value' in arg ? arg.value : undefined)
        }
        await this.#commitNothing(`ARG ${argsText(instruction.args)}`)
        return
      case 'MAINTAINER':
        this.#author = instruction.value
        await this.#commitNothing(`MAINTAINER ${instruction.value}`)
        return
      default:
        await this.#configure(instruction)
    }
  }

  async #configure(setting: Setting): Promise<void> {
    const { config, comment, note } = configure(this.#config, setting, {
      isCmdSet: this.#isCmdSet,
    })
    if (note !== undefined) this.#env.output.text(note)
    if (setting.name === 'CMD') this.#isCmdSet = true
    this.#config = config
    await this.#commitNothing(comment)
  }

  async #commitNothing(comment: string): Promise<void> {
    const createdBy = `${shellOf(this.#config).join(' ')} #(nop)  ${comment}`
    await this.#commit(createdBy, { kind: 'none' })
  }

  async #workdir(path: string): Promise<void> {
    const written = workdirOf(this.#config, path)
    this.#config = { ...this.#config, WorkingDir: written }
    const createdBy = `${shellOf(this.#config).join(' ')} #(nop) WORKDIR ${written}`
    if (await this.#takeCached(createdBy)) return
    const directory = workingDirectory(this.#config, written)
    const { node, missing } = this.#tree().reach(fromText(directory).slice(1))
    if (!node.stats.isDirectory()) {
      throw invalid(`Cannot mkdir: /${toText(node.path)} is not a directory`)
    }
    if (missing.length === 0) {
      await this.#make(createdBy, { kind: 'none' })
      return
    }
    const at = node.path === '' ? [] : [node.path]
    const made = missing.map((_, index) => [...at, ...missing.slice(0, index + 1)].join('/'))
    const root = { uid: 0, gid: 0 }
    const tar = async function* (): AsyncGenerator<Buffer> {
      for (const name of made) yield encodeHeader(newDirectory(name, root))
      yield TAR_END
    }
    await this.#make(createdBy, { kind: 'archive', tar: tar() })
  }

  async #copy(copy: Copy): Promise<void> {
    const { engine, request } = this.#env
    await using prepared = await prepareCopy(copy, {
      engine,
      from: await this.#sourceTree(copy),
      imageId: this.#imageId,
      workingDir: this.#config.WorkingDir,
      signal: request.signal,
    })
    const createdBy = `${shellOf(this.#config).join(' ')} #(nop) ${prepared.comment}`
    if (await this.#takeCached(createdBy)) return
    await this.#make(createdBy, { kind: 'archive', tar: prepared.archive() })
  }

  async #sourceTree({ from }: Copy): Promise<Tree> {
    const { engine, request, output, stages, context } = this.#env
    if (from === '') return context
    const stage = stages.find(from)
    if (stage !== undefined) {
      return new Tree(stage === '' ? [] : engine.images.get(stage).layerDirectories)
    }
    if (from === 'scratch') {
      throw invalid(`invalid from flag value ${from}: 'scratch' is a reserved name`)
    }
    const image = await findBaseImage(engine, from, request.platform, request, output).catch(
      (error: unknown) => {
        throw failedFrom(from, error)
      },
    )
    return new Tree(image.layerDirectories)
  }

  async #run(words: readonly string[], script: HereDocument | undefined): Promise<void> {
    const { engine, request, output, args } = this.#env
    const given = [...args.values(environmentOf(this.#config))]
    const recorded = given
      .filter(([key]) => args.isRecorded(key))
      .map(([key, value]) => `${key}=${value}`)
      .sort()
    const prefix = given.length === 0 ? [] : [`|${recorded.length}`, ...recorded]
    const content = script === undefined ? [] : [`file:${hashOf(script.name, script.content)}`]
    const createdBy = [...prefix, ...words, ...content].join(' ')
    if (await this.#takeCached(createdBy)) return
    if (this.#imageId === undefined) {
      throw invalid(
        `exec: ${JSON.stringify(words[0] ?? '')}: no such file or directory: the image is empty`,
      )
    }
    const step = {
      imageId: this.#imageId,
      config: this.#config,
      words,
      args: given.map(([key, value]) => `${key}=${value}`),
      ...(script === undefined ? {} : { script }),
    }
    this.#imageId = await runStep(engine, step, request, output, (upperDir) =>
      this.#image(createdBy, { kind: 'container', upperDir }),
    )
  }

  async #commit(createdBy: string, changes: Changes): Promise<void> {
    if (await this.#takeCached(createdBy)) return
    await this.#make(createdBy, changes)
  }

  async #takeCached(createdBy: string): Promise<boolean> {
    const { cache, output, request } = this.#env
    request.signal.throwIfAborted()
    const found = await cache.find({
      parentId: this.#imageId,
      createdBy,
      config: this.#config,
      author: this.#author,
    })
    if (found === undefined) return false
    this.#imageId = found
    output.text(' ---> Using cache\n')
    return true
  }

  async #make(createdBy: string, changes: Changes): Promise<void> {
    this.#imageId = await this.#image(createdBy, changes)
  }

  async #image(createdBy: string, changes: Changes): Promise<string> {
    this.#env.request.signal.throwIfAborted()
    return await this.#env.engine.images.commit({
      parentId: this.#imageId,
      changes,
      config: this.#config,
      author: this.#author,
      comment: '',
      createdBy,
    })
  }

  #tree(): Tree {
    if (this.#imageId === undefined) return new Tree([])
    return new Tree(this.#env.engine.images.get(this.#imageId).layerDirectories)
  }
}

type Changes = Parameters<Engine['images']['commit']>[0]['changes']

/** As dockerd: what is made of an image that sets none runs with it. */
const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

function argsText(args: readonly { readonly key: string; readonly value?: string }[]): string {
  return args.map(({ key, value }) => (value === undefined ? key : `${key}=${value}`)).join(' ')
}

function needsBuildKit(flag: string): EngineError {
  return invalid(
    `the --${flag} option requires BuildKit. Refer to https://docs.docker.com/go/buildkit/ to learn how to build images with BuildKit enabled`,
  )
}
