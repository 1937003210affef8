import { type DiskUsage, DiskUsage as DiskUsageSchema } from '@ctr/api'
import { diskUsage } from '@ctr/engine'
import { route } from '../../http/route.ts'
import { renderSummary } from '../container/render-summary.ts'
import { renderImageSummary } from '../image/render.ts'
import { renderVolume } from '../volume/render.ts'

export const diskUsageRoute = route({
  method: 'GET',
  path: '/system/df',
  summary: 'What takes how much room on the disk',
  query: { type: 'strings', verbose: 'boolean' },
  response: DiskUsageSchema,
  handle: async ({ engine }, { query, apiMinor }): Promise<DiskUsage> => {
    // `type` is of v1.42; without it everything is shown.
    const wants = (type: string): boolean =>
      apiMinor < 42 || query.type.length === 0 || query.type.includes(type)
    const usage = await diskUsage(engine)
    return {
      LayersSize: usage.layersBytes,
      Images: wants('image')
        ? usage.images.map(({ image, containers, sharedBytes }) => ({
            ...renderImageSummary(image, apiMinor, { containers }),
            SharedSize: sharedBytes,
          }))
        : null,
      Containers: wants('container')
        ? usage.containers.map(({ container, sizes }) => {
            const isEndUnrecorded = engine.waiters.isEndUnrecorded(container.id)
            return renderSummary({ ...container, isEndUnrecorded }, apiMinor, sizes)
          })
        : null,
      Volumes: wants('volume')
        ? usage.volumes.map(({ volume, users, sizeBytes }) => ({
            ...renderVolume(volume),
            UsageData: { RefCount: users, Size: sizeBytes },
          }))
        : null,
      BuildCache: wants('build-cache') ? [] : null,
      ...(apiMinor < 42 ? { BuilderSize: 0 } : {}),
    }
  },
})
