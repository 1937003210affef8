import { FilesystemChange, Type } from '@ctr/api'
import { type Change, containerChanges } from '@ctr/engine'
import { route } from '../../http/route.ts'

const KIND_NUMBER: Readonly<Record<Change['kind'], number>> = { modified: 0, added: 1, deleted: 2 }

export const containerChangesRoute = route({
  method: 'GET',
  path: '/containers/:id/changes',
  summary: 'List what a container has changed in its filesystem',
  response: Type.Union([Type.Array(FilesystemChange), Type.Null()]),
  handle: async ({ engine }, { id }) => {
    const changes = await containerChanges(engine, id)
    // As dockerd: nothing is null.
    if (changes.length === 0) return null
    return changes.map(({ path, kind }) => ({ Path: path, Kind: KIND_NUMBER[kind] }))
  },
})
