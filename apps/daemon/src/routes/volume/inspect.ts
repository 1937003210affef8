import { Volume } from '@ctr/api'
import { getVolume } from '@ctr/engine'
import { route } from '../../http/route.ts'
import { renderVolume } from './render.ts'

export const inspectVolumeRoute = route({
  method: 'GET',
  path: '/volumes/:id',
  summary: 'Inspect a volume',
  response: Volume,
  handle: async ({ engine }, { id }) => renderVolume(getVolume(engine, id)),
})
