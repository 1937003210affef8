import { Volume, VolumeCreate } from '@ctr/api'
import { createVolume } from '@ctr/engine'
import { route } from '../../http/route.ts'
import { renderVolume } from './render.ts'

export const createVolumeRoute = route({
  method: 'POST',
  path: '/volumes/create',
  summary: 'Create a volume, or find the one of that name',
  body: VolumeCreate,
  status: 201,
  response: Volume,
  handle: async ({ engine }, { body }) => {
    const volume = await createVolume(engine, {
      ...(body.Name === undefined ? {} : { name: body.Name }),
      ...(body.Driver === undefined ? {} : { driver: body.Driver }),
      ...(body.DriverOpts === undefined ? {} : { options: body.DriverOpts }),
      ...(body.Labels === undefined ? {} : { labels: body.Labels }),
    })
    return renderVolume(volume)
  },
})
