import type { ContainerConfig, HistoryItem, ImageInspect, ImageSummary } from '@ctr/api'
import type { Image, Images } from '@ctr/images'
import { rfc3339, unixSeconds } from '../../time.ts'
import { renderConfig } from '../container/render-config.ts'

type Summary = ReturnType<Images['list']>[number]
type History = ReturnType<Images['history']>[number]

export function renderImageSummary(
  image: Summary,
  apiMinor: number,
  o: { containers: number },
): ImageSummary {
  return {
    Containers: o.containers,
    Created: unixSeconds(image.createdAtNs),
    Id: image.id,
    Labels: Object.keys(image.labels).length === 0 ? null : { ...image.labels },
    ParentId: image.parentId,
    ...names(image, apiMinor),
    SharedSize: -1,
    Size: image.size,
    ...(apiMinor < 44 ? { VirtualSize: image.size } : {}),
  }
}

/** An image without a name: `<none>` until v1.42, empty lists since. */
function names(image: Summary, apiMinor: number): Pick<ImageSummary, 'RepoTags' | 'RepoDigests'> {
  const tags = [...image.repoTags]
  const digests = [...image.repoDigests]
  if (apiMinor < 43 && tags.length === 0 && digests.length === 0) {
    return { RepoTags: ['<none>:<none>'], RepoDigests: ['<none>@<none>'] }
  }
  if (apiMinor < 43) return { RepoTags: tags, RepoDigests: digests.length === 0 ? null : digests }
  return { RepoTags: tags, RepoDigests: digests }
}

export function renderImage(
  image: Image,
  apiMinor: number,
  graphDriver: Record<string, string>,
): ImageInspect {
  const { config } = image
  return {
    Id: image.id,
    RepoTags: [...image.repoTags],
    RepoDigests: [...image.repoDigests],
    Parent: image.parentId,
    Comment: image.comment,
    // Before v1.44 an image without a date has the zero time.
    ...(image.createdAtNs === 0n && apiMinor >= 44 ? {} : { Created: rfc3339(image.createdAtNs) }),
    ...(apiMinor < 45 ? { Container: '', ContainerConfig: renderConfig({}, apiMinor, null) } : {}),
    DockerVersion: '',
    Author: config.author ?? '',
    Config: imageConfig((config.config ?? {}) as ContainerConfig, apiMinor),
    Architecture: config.architecture,
    ...(config.variant ? { Variant: config.variant } : {}),
    Os: config.os,
    Size: image.size,
    ...(apiMinor < 44 ? { VirtualSize: image.size } : {}),
    GraphDriver: { Data: graphDriver, Name: 'overlay2' },
    RootFS: { Type: 'layers', Layers: [...config.rootfs.diff_ids] },
    Metadata: { LastTagTime: rfc3339(image.taggedAtNs) },
  }
}

/** Of a container, never of an image: not shown since v1.50. */
const OF_CONTAINERS = [
  'Hostname',
  'Domainname',
  'AttachStdin',
  'AttachStdout',
  'AttachStderr',
  'Tty',
  'OpenStdin',
  'StdinOnce',
  'Image',
  'NetworkDisabled',
  'MacAddress',
  'StopTimeout',
]

function imageConfig(given: ContainerConfig, apiMinor: number): ContainerConfig {
  const shown = renderConfig(given, apiMinor, null)
  if (apiMinor < 50) return shown
  return Object.fromEntries(
    Object.entries(shown).filter(([name]) => !OF_CONTAINERS.includes(name)),
  ) as ContainerConfig
}

export function renderHistory(item: History): HistoryItem {
  return {
    Comment: item.comment,
    Created: unixSeconds(item.createdAtNs),
    CreatedBy: item.createdBy,
    Id: item.id,
    Size: item.size,
    Tags: item.tags.length === 0 ? null : [...item.tags],
  }
}
