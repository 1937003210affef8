import { freezeCgroup } from '@ctr/linux'
import type { Command } from '../command.ts'
import { wrongState } from '../errors.ts'
import { readRecord } from '../record.ts'
import { containerStatus } from '../status.ts'

export const command: Command = {
  summary: 'pause suspends all processes inside the container',
  usage: '<container-id>',
  flags: [],
  minArgs: 1,
  maxArgs: 1,
  run: async (context, { args }) => {
    const record = readRecord(context.root, args[0] ?? '')
    const status = containerStatus(context.root, record)
    if (status === 'stopped' || status === 'paused') throw wrongState('container not running')
    await freezeCgroup(record.cgroups, record.cgroupPath)
    return 0
  },
}
