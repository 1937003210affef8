import { ContainerUpdate, ContainerUpdated } from '@ctr/api'
import { updateContainer } from '@ctr/engine'
import { route } from '../../http/route.ts'

export const updateContainerRoute = route({
  method: 'POST',
  path: '/containers/:id/update',
  summary: 'Change limits and restart policy',
  body: ContainerUpdate,
  response: ContainerUpdated,
  handle: async ({ engine }, { id, body, apiMinor }) => {
    const { PidsLimit, ...older } = body
    // PidsLimit is of v1.40.
    const change =
      apiMinor < 40 || PidsLimit === undefined
        ? older
        : // Any negative number means no limit, which is written as 0.
          { ...older, PidsLimit: Math.max(0, PidsLimit) }
    const { warnings } = await updateContainer(engine, id, change)
    return { Warnings: warnings.length === 0 ? null : [...warnings] }
  },
})
