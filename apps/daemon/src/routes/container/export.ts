import { exportContainer } from '@ctr/engine'
import { route } from '../../http/route.ts'
import { sendStream } from '../../http/send-stream.ts'

export const exportContainerRoute = route({
  method: 'GET',
  path: '/containers/:id/export',
  summary: 'Get the root filesystem of a container as a tar archive',
  status: 200,
  handle: async ({ engine }, { id, openOutput }) => {
    const stream = await exportContainer(engine, id)
    await sendStream(stream, await openOutput('application/octet-stream'))
    return undefined
  },
})
