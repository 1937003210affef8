import { FilesystemChange, Type } from '@ctr/api'
import { containerChanges } from '@ctr/engine'
import { route } from '../../http/route.ts'

export const containerChangesRoute = route({
  method: 'GET',
  path: '/containers/:id/changes',
  summary: 'List what a container has changed in its filesystem',
  response: Type.Array(FilesystemChange),
  handle: async ({ engine }, { id }) => {
    const changes = await containerChanges(engine, id)
    return changes.map(({ path, kind }) => ({ Path: path, Kind: kind }))
  },
})
