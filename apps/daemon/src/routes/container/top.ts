import { ContainerTop } from '@ctr/api'
import { topContainer } from '@ctr/engine'
import { route } from '../../http/route.ts'

export const topContainerRoute = route({
  method: 'GET',
  path: '/containers/:id/top',
  summary: 'List the processes of a container',
  query: { ps_args: 'string' },
  response: ContainerTop,
  handle: async ({ engine }, { id, query }) => {
    const { titles, processes } = await topContainer(engine, id, query.ps_args ?? '-ef')
    return { Titles: titles, Processes: processes }
  },
})
