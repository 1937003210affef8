import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { EngineError, isDescriptorLimit } from '@ctr/errdefs'
import { cgroupPids } from '@ctr/linux'
import type { Engine } from '../engine.ts'
import { containerEvent } from './container-event.ts'
import { containerCgroup } from './leftovers.ts'
import { isAlive } from './state.ts'

const MAX_OUTPUT_BYTES = 16 * 1024 * 1024
const TIMEOUT_MS = 10_000

export interface Processes {
  readonly titles: string[]
  readonly processes: string[][]
}

/** The host's ps(1), cut down to the container's processes, as Docker. CONFLICT unless it runs. */
export async function topContainer(
  engine: Engine,
  reference: string,
  psArgs: string,
): Promise<Processes> {
  const container = engine.containers.get(reference)
  const { id, state } = container
  if (state.status === 'restarting') {
    throw new EngineError(
      'CONFLICT',
      `Container ${id} is restarting, wait until the container is running`,
    )
  }
  if (!isAlive(state)) throw new EngineError('CONFLICT', `container ${id} is not running`)
  const renamed = /\s+([^\s]*)=\s*(PID[^\s]*)/.exec(` ${psArgs}`)
  if (renamed !== null && renamed[1] !== 'pid') {
    throw new EngineError(
      'INVALID_ARGUMENT',
      `specifying "${renamed[1]}=${renamed[2]}" is not allowed`,
    )
  }
  const args = psArgs.split(/\s+/).filter((word) => word !== '')
  const pids = new Set(cgroupPids(engine.host.cgroups, containerCgroup(engine, container)))
  const processes = parsePs(await psOf(args.length === 0 ? ['-ef'] : args, pids), pids)
  engine.events.emit(containerEvent(container, 'top'))
  return processes
}

/** Some options cannot be had together with `-q`; without it ps looks at every process of the host. moby daemon/top_unix.go */
async function psOf(args: readonly string[], pids: ReadonlySet<number>): Promise<string> {
  try {
    return await runPs([...args, `-q${[...pids].sort((a, b) => a - b).join(',')}`])
  } catch {
    return await runPs(args)
  }
}

async function runPs(args: readonly string[]): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)('ps', args, {
      maxBuffer: MAX_OUTPUT_BYTES,
      timeout: TIMEOUT_MS,
      env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C' },
    })
    return stdout
  } catch (cause) {
    const isMissing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT'
    if (!isMissing && isDescriptorLimit(cause)) throw cause
    const stderr = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim() : ''
    throw new EngineError(
      isMissing ? 'NOT_IMPLEMENTED' : 'INVALID_ARGUMENT',
      isMissing ? 'ps is not installed (package procps)' : `ps: ${stderr.split('\n', 1)[0]}`,
      { cause },
    )
  }
}

/** The last column may hold blanks. A line without a PID belongs to the one before (threads). */
function parsePs(output: string, pids: ReadonlySet<number>): Processes {
  const [header = '', ...lines] = output.split('\n')
  const titles = header.trim().split(/\s+/)
  const pidColumn = titles.indexOf('PID')
  if (pidColumn === -1) {
    throw new EngineError('INVALID_ARGUMENT', "Couldn't find PID field in ps output")
  }
  const processes: string[][] = []
  let isOurs = false
  for (const line of lines) {
    if (line.trim() === '') continue
    const fields = line.trim().split(/\s+/)
    const pid = fields[pidColumn] ?? ''
    if (pid !== '-') isOurs = pids.has(Number(pid))
    if (!isOurs) continue
    const last = titles.length - 1
    processes.push([...fields.slice(0, last), fields.slice(last).join(' ')])
  }
  return { titles, processes }
}
