import { inspectContainer } from '@ctr/client'
import type { Command } from '../command.ts'
import { hostPort } from '../format/ports.ts'
import { printLine } from '../output/write.ts'

export const command: Command = {
  usage: 'CONTAINER [PRIVATE_PORT[/PROTO]]',
  summary: 'List port mappings or a specific mapping for the container',
  aliases: ['ctr container port', 'ctr port'],
  flags: [],
  args: { min: 1, max: 2 },
  examples: [
    { text: 'All ports', command: 'ctr port web' },
    { text: 'Where port 80 is', command: 'ctr port web 80' },
  ],
  async run({ client }, { args }) {
    const [ref = '', wanted] = args
    const { NetworkSettings: settings } = await inspectContainer(client, ref)
    const bindings = Object.entries(settings.Ports ?? {}).map(([port, list]) => ({
      port,
      hosts: (list ?? []).map(({ HostIp = '', HostPort = '' }) => hostPort(HostIp, HostPort)),
    }))
    if (wanted === undefined) {
      const lines = bindings.flatMap(({ port, hosts }) =>
        hosts.map((host) => ({ port, line: `${port} -> ${host}` })),
      )
      lines.sort((a, b) => Number.parseInt(a.port, 10) - Number.parseInt(b.port, 10))
      for (const { line } of lines) printLine(line)
      return
    }
    const number = wanted.replace(/\/.*$/, '')
    if (!/^\d+$/.test(number) || Number(number) > 65_535) {
      const why = /^\d+$/.test(number) ? 'value out of range' : 'invalid syntax'
      throw new Error(
        `Error: invalid port (${number}): strconv.ParseUint: parsing ${JSON.stringify(number)}: ${why}`,
      )
    }
    const port = wanted.includes('/') ? wanted : `${wanted}/tcp`
    const found = bindings.find((binding) => binding.port === port)?.hosts ?? []
    if (found.length === 0)
      throw new Error(`Error: No public port '${wanted}' published for ${ref}`)
    for (const host of found) printLine(host)
  },
}
