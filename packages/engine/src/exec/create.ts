import type { ExecConfig } from '@ctr/api'
import { EngineError } from '@ctr/errdefs'
import { newId } from '@ctr/oci'
import type { ContainerRecord } from '../container/container.ts'
import { containerEvent } from '../container/container-event.ts'
import type { Engine } from '../engine.ts'

/** Execs kept per container after they have ended, for inspect. */
const KEPT_PER_CONTAINER = 64
/** That many more are let be, so that not every exec writes the pages of the database that an old one is on. */
const FORGOTTEN_AT_ONCE = 64

/** CONFLICT unless the container runs; INVALID_ARGUMENT. Gives the id. */
export async function createExec(
  engine: Engine,
  reference: string,
  config: ExecConfig,
): Promise<string> {
  const container = engine.containers.get(reference)
  assertCanExec(container, reference)
  const command = config.Cmd ?? []
  if (command.length === 0) throw new EngineError('INVALID_ARGUMENT', 'No exec command specified')
  for (const text of [
    ...command,
    ...(config.Env ?? []),
    config.User ?? '',
    config.WorkingDir ?? '',
  ]) {
    if (text.includes('\0')) throw new EngineError('INVALID_ARGUMENT', 'invalid exec: NUL byte')
  }
  for (const variable of config.Env ?? []) {
    if (variable === '' || variable.startsWith('=')) {
      throw new EngineError('INVALID_ARGUMENT', `invalid environment variable: ${variable}`)
    }
  }
  const id = newId()
  engine.events.commit('volatile', () => {
    forgetOldest(engine, container.id)
    engine.execs.insert({
      id,
      containerId: container.id,
      createdAtNs: engine.clock.nowNs(),
      config,
      state: { status: 'created' },
    })
    engine.events.add(containerEvent(container, execAction('exec_create', command), { execID: id }))
  })
  return id
}

/** Docker puts a blank between command and arguments also when there are none. moby daemon/exec.go */
export function execAction(action: string, [command = '', ...args]: readonly string[]): string {
  return `${action}: ${command} ${args.join(' ')}`
}

export function assertCanExec(container: ContainerRecord, reference = container.id): void {
  const { id, state } = container
  switch (state.status) {
    case 'running':
      return
    case 'paused':
      throw new EngineError(
        'CONFLICT',
        `Container ${reference} is paused, unpause the container before exec`,
      )
    case 'restarting':
      throw new EngineError(
        'CONFLICT',
        `Container ${id} is restarting, wait until the container is running`,
      )
    case 'created':
    case 'exited':
    case 'removing':
    case 'dead':
      throw new EngineError('CONFLICT', `container ${id} is not running`)
  }
}

function forgetOldest(engine: Engine, containerId: string): void {
  const ended = engine.execs.endedOfContainer(containerId)
  const surplus = ended.size - KEPT_PER_CONTAINER
  if (surplus < FORGOTTEN_AT_ONCE) return
  for (const id of [...ended].slice(0, surplus)) engine.execs.delete(id)
}
