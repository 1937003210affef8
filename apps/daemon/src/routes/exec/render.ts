import type { ExecInspect } from '@ctr/api'
import type { Exec } from '@ctr/engine'

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
    CanRemove: state.status === 'exited',
    ContainerID: containerId,
    DetachKeys: config.DetachKeys ?? '',
    Pid: state.status === 'created' ? 0 : state.pid,
  }
}
