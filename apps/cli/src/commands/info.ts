import type { SystemInfo } from '@ctr/api'
import { info } from '@ctr/client'
import { isEngineError } from '@ctr/errdefs'
import type { Command } from '../command.ts'
import { INSPECT_FORMAT_FLAG } from '../format/inspect.ts'
import { printObject } from '../format/object.ts'
import { formatMemory } from '../format/size.ts'
import { printError, writeOut } from '../output/write.ts'
import { errorText } from '../report-error.ts'
import { CLI_VERSION } from '../version-line.ts'

export const command: Command = {
  usage: '[OPTIONS]',
  summary: 'Display system-wide information',
  aliases: ['ctr system info', 'ctr info'],
  flags: [INSPECT_FORMAT_FLAG],
  args: { min: 0, max: 0 },
  examples: [
    { text: 'Everything', command: 'ctr info' },
    { text: 'One value', command: "ctr info -f '{{.CgroupVersion}}'" },
  ],
  async run({ client }, { flags }) {
    const format = flags.string('format')
    const clientText = `Client:\n Version:    ${CLI_VERSION}\n\nServer:\n`
    let server: SystemInfo
    try {
      server = await info(client)
    } catch (error) {
      if (!isEngineError(error) || format !== '') throw error
      writeOut(clientText)
      printError(errorText(error))
      return 1
    }
    if (format === '') {
      writeOut(clientText + infoText(server))
      for (const warning of server.Warnings ?? []) printError(warning)
    } else {
      const all = { ...server, ClientInfo: { Version: CLI_VERSION } }
      printObject(format, all, { type: 'system.dockerInfo' })
    }
    return 0
  },
}

function infoText(info: SystemInfo): string {
  const lines = [
    ` Containers: ${info.Containers}`,
    `  Running: ${info.ContainersRunning}`,
    `  Paused: ${info.ContainersPaused}`,
    `  Stopped: ${info.ContainersStopped}`,
    ` Images: ${info.Images}`,
    ` Server Version: ${info.ServerVersion}`,
    ` Storage Driver: ${info.Driver}`,
    ...(info.DriverStatus ?? []).map(([name = '', value = '']) => `  ${name}: ${value}`),
    ` Logging Driver: ${info.LoggingDriver}`,
    ` Cgroup Driver: ${info.CgroupDriver}`,
    ` Cgroup Version: ${info.CgroupVersion}`,
    ' Plugins:',
    `  Volume: ${(info.Plugins?.Volume ?? []).join(' ')}`,
    `  Network: ${(info.Plugins?.Network ?? []).join(' ')}`,
    `  Log: ${(info.Plugins?.Log ?? []).join(' ')}`,
    ` Swarm: ${info.Swarm?.LocalNodeState ?? 'inactive'}`,
    ` Runtimes: ${Object.keys(info.Runtimes ?? {}).join(' ')}`,
    ` Default Runtime: ${info.DefaultRuntime}`,
    ` Init Binary: ${info.InitBinary}`,
    ' Security Options:',
    ...(info.SecurityOptions ?? []).flatMap(securityLines),
    ` Kernel Version: ${info.KernelVersion}`,
    ` Operating System: ${info.OperatingSystem}`,
    ` OSType: ${info.OSType}`,
    ` Architecture: ${info.Architecture}`,
    ` CPUs: ${info.NCPU}`,
    ` Total Memory: ${formatMemory(info.MemTotal)}`,
    ` Name: ${info.Name}`,
    ` ID: ${info.ID}`,
    ` Docker Root Dir: ${info.DockerRootDir}`,
    ` Debug Mode: ${info.Debug}`,
    ...labelLines(info.Labels ?? []),
    ` Experimental: ${info.ExperimentalBuild}`,
    ' Insecure Registries:',
    ...(info.RegistryConfig?.InsecureRegistryCIDRs ?? []).map((cidr) => `  ${cidr}`),
    ` Live Restore Enabled: ${info.LiveRestoreEnabled}`,
    '',
  ]
  return `${lines.join('\n')}\n`
}

/** `name=seccomp,profile=default` on two lines. */
function securityLines(option: string): string[] {
  const [name = '', ...rest] = option.split(',')
  const values = rest.map((item) => {
    const [key = '', value = ''] = item.split('=')
    return `   ${key.charAt(0).toUpperCase()}${key.slice(1)}: ${value}`
  })
  return [`  ${name.replace(/^name=/, '')}`, ...values]
}

function labelLines(labels: readonly string[]): string[] {
  return labels.length === 0 ? [] : [' Labels:', ...labels.map((label) => `  ${label}`)]
}
