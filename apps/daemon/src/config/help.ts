import { VERSION } from '../version.ts'
import { OPTIONS } from './options.ts'

export function helpText(): string {
  const rows = OPTIONS.flatMap((option) => {
    if (option.flag === undefined || option.help === undefined) return []
    const value =
      option.kind === 'boolean'
        ? ''
        : option.kind === 'list' || option.kind === 'map'
          ? ' list'
          : ' value'
    const short = option.short === undefined ? '    ' : `-${option.short}, `
    return [`  ${`${short}--${option.flag}${value} `.padEnd(36)}${option.help}`]
  })
  return `Usage:  ctrd [OPTIONS]

A container engine with the Docker Engine API.

Options:
${rows.join('\n')}
  ${'    --config-file value'.padEnd(36)}Configuration file, keys as in daemon.json (default /etc/ctr/ctrd.json)
  ${'-h, --help'.padEnd(36)}Show this text and exit
  ${'-v, --version'.padEnd(36)}Show the version and exit

Other flags of dockerd are accepted and have no effect. Flags and file may not both set an option.

Signals:
  SIGHUP           read configuration file and certificates again, restore bridges and firewall;
                   the log says which changed options need a restart
  SIGTERM, SIGINT  end; containers go on, and the next ctrd finds them

Examples:
  ctrd                                                     everything at its default place
  ctrd -D --config-file ./ctrd.json --validate             check a configuration
  ctrd -H unix:///tmp/a.sock --data-root /tmp/a --exec-root /tmp/a.run \\
       --pidfile /tmp/a.pid --bridge none                  a second engine beside the first
  ctrd -H unix:// -H tcp://0.0.0.0:2376 --tlsverify \\
       --tlscacert ca.pem --tlscert cert.pem --tlskey key.pem   also by TCP, for clients with certificates
  DOCKER_HOST=unix:///var/run/ctr.sock docker ps           the docker CLI against ctrd
`
}

export function versionText(): string {
  return `ctrd version ${VERSION}\n`
}
