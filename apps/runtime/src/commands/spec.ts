import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isErrno } from '@ctr/errdefs'
import type { Command } from '../command.ts'
import { defaultConfig } from '../default-config.ts'
import { wrongState } from '../errors.ts'

export const command: Command = {
  summary: 'create a new specification file',
  usage: '',
  flags: [
    { names: ['bundle', 'b'], kind: 'text', help: 'path to the root of the bundle directory' },
    {
      names: ['rootless'],
      kind: 'bool',
      help: 'generate a configuration for a rootless container',
    },
  ],
  minArgs: 0,
  maxArgs: 0,
  run: (_, { flags }) => {
    const path = join(flags.text('bundle') ?? '.', 'config.json')
    const config = defaultConfig({ isRootless: flags.bool('rootless') })
    try {
      writeFileSync(path, JSON.stringify(config, null, '\t'), { flag: 'wx', mode: 0o666 })
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error
      throw wrongState('File config.json exists. Remove it first')
    }
    return 0
  },
}
