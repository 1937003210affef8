import type { HostFacts } from '@ctr/linux'
import type { RuntimeProcess } from '@ctr/oci'
import type { Program } from '../ops.ts'
import { planMembership } from './cgroup.ts'
import type { ExecInput } from './input.ts'
import { execNamespaces } from './namespaces.ts'
import { hostUser, planOomScore, planProcess, planStdio } from './process.ts'
import { containerCgroup, planKeyring, planOwner, planPidfd, planResctrl } from './start.ts'

/** runtime-spec config.md#execCPUAffinity: `initial` is for the runtime itself, and stays if nothing follows. */
function execCpus({ execCPUAffinity }: RuntimeProcess): string {
  return execCPUAffinity?.final ?? execCPUAffinity?.initial ?? ''
}

/**
 * The launch program of an additional process in a running container: it enters the namespaces and the cgroup of the
 * container's init process, and then goes the same way as that one did. Pure.
 */
export function compileExec(input: ExecInput, host: HostFacts): Program {
  const { process, spec, stdio } = input
  const cgroup = planMembership(containerCgroup(input), false, host, input.controllerCgroups)
  return [
    ...planOwner(input),
    planStdio(stdio, process, hostUser(process, spec), input.handover),
    ...(input.expectAttach > 0
      ? [{ op: 'expect_attach', clients: input.expectAttach } as const]
      : []),
    { op: 'join', pid: input.containerPid, start_time: input.containerStartTime },
    { op: 'clone', flags: 0n, cgroup: cgroup.cloneInto },
    ...cgroup.join,
    ...planResctrl(input.resctrlTasks),
    ...planPidfd(input.handover, 'setns'),

    ...planKeyring({ ...input, label: process.selinuxLabel }),
    ...planOomScore(process),
    { op: 'enter', flags: execNamespaces(spec) },
    ...(stdio.tty ? [{ op: 'console' } as const] : []),
    { op: 'setsid' },
    ...planProcess(
      {
        spec,
        process,
        args: process.args,
        program: input.program,
        cpus: input.handover === undefined ? undefined : execCpus(process),
        seccompFilter: input.seccompFilter,
        waitForStart: false,
        isGated: false,
      },
      host,
    ),
  ]
}
