import { NetworkCreate, NetworkCreated } from '@ctr/api'
import { createNetwork } from '@ctr/engine'
import { EngineError } from '@ctr/errdefs'
import { route } from '../../http/route.ts'

export const createNetworkRoute = route({
  method: 'POST',
  path: '/networks/create',
  summary: 'Create a network',
  body: NetworkCreate,
  status: 201,
  response: NetworkCreated,
  handle: async ({ engine }, { body, apiMinor }) => {
    const { Name = '', IPAM } = body
    if (body.Scope === 'swarm') {
      throw new EngineError(
        'FORBIDDEN',
        'cannot create a swarm scoped network when swarm is not active',
      )
    }
    if (body.Ingress === true) {
      throw new EngineError('FORBIDDEN', 'Ingress network can only be global scope network')
    }
    if (IPAM?.Driver !== undefined && !['', 'default'].includes(IPAM.Driver)) {
      throw new EngineError('NOT_FOUND', `could not resolve IPAM driver ${IPAM.Driver}`)
    }
    const network = await createNetwork(engine, {
      name: Name,
      driver: body.Driver ?? '',
      isInternal: body.Internal ?? false,
      isAttachable: body.Attachable ?? false,
      // Of v1.48.
      enableIpv4: apiMinor >= 48 ? body.EnableIPv4 : undefined,
      enableIpv6: body.EnableIPv6 ?? false,
      options: body.Options ?? {},
      labels: body.Labels ?? {},
      scope: body.Scope ?? '',
      isConfigOnly: body.ConfigOnly ?? false,
      configFrom: body.ConfigFrom?.Network ?? '',
      ipamOptions: IPAM?.Options ?? undefined,
      ipam: (IPAM?.Config ?? []).map((pool) => ({
        ...(pool.Subnet ? { subnet: pool.Subnet } : {}),
        ...(pool.Gateway ? { gateway: pool.Gateway } : {}),
        ...(pool.IPRange ? { ipRange: pool.IPRange } : {}),
        ...(pool.AuxiliaryAddresses ? { auxAddresses: pool.AuxiliaryAddresses } : {}),
      })),
    })
    return { Id: network.id, Warning: '' }
  },
})
