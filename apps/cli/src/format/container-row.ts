import type { ContainerSummary } from '@ctr/api'
import { goTime, humanDuration } from './duration.ts'
import type { ListFormat, Row } from './list.ts'
import { displayPorts } from './ports.ts'
import { formatSize } from './size.ts'
import { ellipsis, labelsText, shortId } from './text.ts'

const RAW =
  'container_id: {{.ID}}\nimage: {{.Image}}\ncommand: {{.Command}}\ncreated_at: {{.CreatedAt}}\nstate:{{pad .State 1 0}}\nstatus:{{pad .Status 1 0}}\nnames: {{.Names}}\nlabels:{{pad .Labels 1 0}}\nports:{{pad .Ports 1 0}}\n'

/** A row of `ps` (docker/cli formatter/container.go). */
export function containerList(withSize: boolean): ListFormat {
  const columns = ['ID', 'Image', 'Command', 'RunningFor', 'Status', 'Ports', 'Names']
  if (withSize) columns.push('Size')
  return {
    headers: {
      ID: 'CONTAINER ID',
      Names: 'NAMES',
      Image: 'IMAGE',
      Command: 'COMMAND',
      CreatedAt: 'CREATED AT',
      RunningFor: 'CREATED',
      Ports: 'PORTS',
      State: 'STATE',
      Status: 'STATUS',
      HealthStatus: 'HEALTH',
      Size: 'SIZE',
      Labels: 'LABELS',
      Mounts: 'MOUNTS',
      LocalVolumes: 'LOCAL VOLUMES',
      Networks: 'NETWORKS',
      Platform: 'PLATFORM',
    },
    table: columns.map((name) => `{{.${name}}}`).join('\t'),
    quiet: '{{.ID}}',
    raw: `${RAW}${withSize ? 'size: {{.Size}}\n' : ''}`,
    rowType: '*formatter.ContainerContext',
    complaints: { parse: 'failed to parse template', execute: 'failed to execute template' },
  }
}

export function containerRow(
  container: ContainerSummary,
  options: { readonly truncate: boolean; readonly nowMs: number },
): Row {
  const { truncate } = options
  const mounts = container.Mounts.map((mount) => mount.Name ?? mount.Source).filter(
    (name) => name !== '',
  )
  return {
    Command: JSON.stringify(truncate ? ellipsis(container.Command, 20) : container.Command),
    get CreatedAt() {
      return goTime(container.Created)
    },
    ID: truncate ? shortId(container.Id) : container.Id,
    Image: imageText(container, truncate),
    Labels: labelsText(container.Labels),
    LocalVolumes: String(container.Mounts.filter((mount) => mount.Driver === 'local').length),
    Mounts: mounts.map((name) => (truncate ? ellipsis(name, 15) : name)).join(','),
    Names: names(container.Names, truncate),
    Networks: Object.keys(container.NetworkSettings.Networks).join(','),
    Platform: null,
    Ports: displayPorts(container.Ports),
    RunningFor: `${humanDuration(options.nowMs - container.Created * 1000)} ago`,
    Size: sizeText(container),
    State: container.State,
    Status: container.Status,
    HealthStatus: () => healthOf(container.Status),
    Label: (...names: unknown[]) => container.Labels[labelName(names)] ?? '',
  }
}

/** The argument of `{{.Label "name"}}`. */
function labelName(args: readonly unknown[]): string {
  if (args.length === 1) return String(args[0])
  throw new Error(`wrong number of args for Label: want 1 got ${args.length}`)
}

function imageText({ Image: image, ImageID: id }: ContainerSummary, truncate: boolean): string {
  if (image === '') return '<no image>'
  if (!truncate) return image
  if (image === id || /^(sha256:)?[0-9a-f]{64}$/.test(image)) return shortId(image)
  // Docker hides the digest of `name:tag@digest` but not of `name@digest`.
  return image.replace(/(:[^/:@]+)@.*$/, '$1')
}

/** Names through links have slashes inside. */
function names(all: readonly string[], truncate: boolean): string {
  const stripped = all.map((name) => name.replace(/^\//, ''))
  return (truncate ? stripped.filter((name) => !name.includes('/')) : stripped).join(',')
}

function sizeText({ SizeRw = 0, SizeRootFs = 0 }: ContainerSummary): string {
  const own = formatSize(SizeRw)
  return SizeRootFs > 0 ? `${own} (virtual ${formatSize(SizeRootFs)})` : own
}

function healthOf(status: string): string {
  const word = /\((healthy|unhealthy|health: starting)\)/.exec(status)?.[1]
  return word === 'health: starting' ? 'starting' : (word ?? '')
}
