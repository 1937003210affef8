import { isErrno } from '@ctr/errdefs'
import { cgroupPids } from '@ctr/linux'
import { parseSignal } from '@ctr/oci'
import type { Command } from '../command.ts'
import { signalInit } from '../destroy.ts'
import { invalidArgument, wrongState } from '../errors.ts'
import { type ContainerRecord, readRecord } from '../record.ts'
import { containerStatus } from '../status.ts'

export const command: Command = {
  summary: "kill sends the specified signal (default: SIGTERM) to the container's init process",
  usage: '<container-id> [signal]',
  flags: [
    {
      names: ['all', 'a'],
      kind: 'bool',
      help: 'send the specified signal to all processes inside the container',
    },
  ],
  minArgs: 1,
  maxArgs: 2,
  run: (context, { args, flags }) => {
    const record = readRecord(context.root, args[0] ?? '')
    const signal = signalNumber(args[1] ?? 'SIGTERM')
    const status = containerStatus(context.root, record)
    // Without a PID namespace of its own, processes outlive their init.
    const isSurvived = signal === SIGKILL && !hasOwnPids(record) && hasProcesses(record)
    if (flags.bool('all') || isSurvived) signalAll(record, signal)
    else if (status === 'stopped') throw wrongState('container not running')
    else signalInit(record, signal)
    return 0
  },
}

const SIGKILL = 9

function hasOwnPids({ spec }: ContainerRecord): boolean {
  return spec.linux?.namespaces?.some((one) => one.type === 'pid' && !one.path) === true
}

function hasProcesses({ cgroups, cgroupPath }: ContainerRecord): boolean {
  return cgroupPids(cgroups, cgroupPath).length > 0
}

/** 0 asks whether the process is there. */
function signalNumber(text: string): number {
  if (text === '0') return 0
  const signal = parseSignal(text)
  if (signal === undefined) throw invalidArgument(`unknown signal ${JSON.stringify(text)}`)
  return signal
}

function signalAll(record: ContainerRecord, signal: number): void {
  for (const pid of cgroupPids(record.cgroups, record.cgroupPath)) {
    try {
      process.kill(pid, signal)
    } catch (error) {
      if (!isErrno(error, 'ESRCH')) throw error
    }
  }
  signalInit(record, signal)
}
