import { parseFilters, VolumeList } from '@ctr/api'
import { listVolumes, VOLUME_FILTERS } from '@ctr/engine'
import { route } from '../../http/route.ts'
import { renderVolume } from './render.ts'

export const listVolumesRoute = route({
  method: 'GET',
  path: '/volumes',
  summary: 'List volumes',
  query: { filters: 'string' },
  response: VolumeList,
  handle: async ({ engine }, { query }) => {
    const filters = parseFilters(query.filters, VOLUME_FILTERS)
    return { Volumes: listVolumes(engine, filters).map(renderVolume), Warnings: null }
  },
})
