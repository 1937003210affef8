import { thawCgroup } from '@ctr/linux'
import type { Command } from '../command.ts'
import { wrongState } from '../errors.ts'
import { readRecord } from '../record.ts'
import { containerStatus } from '../status.ts'

export const command: Command = {
  summary: 'resumes all processes that have been previously paused',
  usage: '<container-id>',
  flags: [],
  minArgs: 1,
  maxArgs: 1,
  run: (context, { args }) => {
    const record = readRecord(context.root, args[0] ?? '')
    if (containerStatus(context.root, record) !== 'paused') throw wrongState('container not paused')
    thawCgroup(record.cgroups, record.cgroupPath)
    return 0
  },
}
