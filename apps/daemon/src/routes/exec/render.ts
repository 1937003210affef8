import type { ExecInspect } from '@ctr/api'
import type { Exec } from '@ctr/engine'
import { parseDetachKeys } from '../../http/detach-keys.ts'

export function renderExec({ id, containerId, config, state }: Exec): ExecInspect {
  const [entrypoint = '', ...args] = config.Cmd ?? []
  return {
    ID: id,
    Running: state.status === 'running',
    ExitCode: state.status === 'exited' ? state.exitCode : null,
    ProcessConfig: {
      tty: config.Tty ?? false,
      entrypoint,
      arguments: args,
      privileged: config.Privileged ?? false,
      ...(config.User ? { user: config.User } : {}),
    },
    OpenStdin: config.AttachStdin ?? false,
    OpenStderr: config.AttachStderr ?? false,
    OpenStdout: config.AttachStdout ?? false,
    // dockerd says when it is about to forget it.
    CanRemove: false,
    ContainerID: containerId,
    // Bytes, as Go writes them.
    DetachKeys: config.DetachKeys
      ? Buffer.from(parseDetachKeys(config.DetachKeys)).toString('base64')
      : '',
    Pid: state.status === 'created' ? 0 : state.pid,
  }
}
