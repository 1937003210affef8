import { Network } from '@ctr/api'
import { EngineError } from '@ctr/errdefs'
import { route } from '../../http/route.ts'
import { renderNetwork } from './render.ts'

export const inspectNetworkRoute = route({
  method: 'GET',
  path: '/networks/:id',
  summary: 'Inspect a network',
  query: { verbose: 'string', scope: 'string' },
  response: Network,
  handle: async ({ engine: { networks } }, { id, query, apiMinor }) => {
    const { verbose = '', scope = 'local' } = query
    if (verbose !== '' && !/^(1|0|t|f|true|false)$/i.test(verbose)) {
      throw new EngineError(
        'INVALID_ARGUMENT',
        `invalid value for verbose: ${verbose}: strconv.ParseBool: parsing "${verbose}": invalid syntax`,
      )
    }
    const network = networks.get(id)
    // All are of this host.
    if (scope !== 'local') throw new EngineError('NOT_FOUND', `network ${id} not found`)
    return renderNetwork(network, networks.endpointsOfNetwork(network.id), apiMinor)
  },
})
