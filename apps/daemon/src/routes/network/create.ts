import { NetworkCreate, NetworkCreated } from '@ctr/api'
import { createNetwork } from '@ctr/engine'
import { EngineError } from '@ctr/errdefs'
import { route } from '../../http/route.ts'

export const createNetworkRoute = route({
  method: 'POST',
  path: '/networks/create',
  summary: 'Create a bridge network',
  body: NetworkCreate,
  status: 201,
  response: NetworkCreated,
  handle: async ({ engine }, { body }) => {
    const { Name = '', IPAM } = body
    if (body.ConfigOnly === true || body.Ingress === true || body.Scope === 'swarm') {
      throw new EngineError(
        'NOT_IMPLEMENTED',
        'config-only, ingress and swarm networks are not served',
      )
    }
    if (IPAM?.Driver !== undefined && !['', 'default'].includes(IPAM.Driver)) {
      throw new EngineError('NOT_FOUND', `could not resolve IPAM driver ${IPAM.Driver}`)
    }
    const network = await createNetwork(engine, {
      name: Name,
      driver: body.Driver ?? '',
      isInternal: body.Internal ?? false,
      isAttachable: body.Attachable ?? false,
      enableIpv6: body.EnableIPv6 ?? false,
      options: body.Options ?? {},
      labels: body.Labels ?? {},
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
