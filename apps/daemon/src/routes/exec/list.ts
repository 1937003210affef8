import { ExecSummary, Type } from '@ctr/api'
import { type Engine, type Exec, listExecs } from '@ctr/engine'
import { route } from '../../http/route.ts'

/** Ours: Docker shows only the ids, in the container's inspect. */
export const listExecsRoute = route({
  method: 'GET',
  path: '/exec/json',
  summary: 'List execs',
  query: { container: 'string', all: 'boolean' },
  response: Type.Array(ExecSummary),
  handle: async ({ engine }, { query }) =>
    listExecs(engine, query).map((exec) => renderSummary(engine, exec)),
})

function renderSummary(
  engine: Pick<Engine, 'containers'>,
  { id, containerId, createdAtNs, config, state }: Exec,
): ExecSummary {
  return {
    ID: id,
    ContainerID: containerId,
    ContainerName: engine.containers.byId(containerId)?.name ?? '',
    Command: [...(config.Cmd ?? [])],
    Created: Number(createdAtNs / 1_000_000_000n),
    State: state.status,
    Pid: state.status === 'created' ? 0 : state.pid,
    ExitCode: state.status === 'exited' ? state.exitCode : null,
    Tty: config.Tty ?? false,
  }
}
