import { EngineError } from '@ctr/errdefs'
import { type AnyRoute, route } from '../../http/route.ts'

const NOT_A_MANAGER =
  'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.'

const PATHS: readonly (readonly [AnyRoute['method'], string])[] = [
  ['GET', '/swarm'],
  ['GET', '/swarm/unlockkey'],
  ['POST', '/swarm/update'],
  ['POST', '/swarm/unlock'],
  ['GET', '/nodes'],
  ['GET', '/nodes/:id'],
  ['DELETE', '/nodes/:id'],
  ['POST', '/nodes/:id/update'],
  ['GET', '/services'],
  ['POST', '/services/create'],
  ['GET', '/services/:id'],
  ['DELETE', '/services/:id'],
  ['POST', '/services/:id/update'],
  ['GET', '/services/:id/logs'],
  ['GET', '/tasks'],
  ['GET', '/tasks/:id'],
  ['GET', '/tasks/:id/logs'],
  ['GET', '/configs'],
  ['POST', '/configs/create'],
  ['GET', '/configs/:id'],
  ['DELETE', '/configs/:id'],
  ['POST', '/configs/:id/update'],
  // Cluster volumes; the local ones cannot be changed.
  ['PUT', '/volumes/:id'],
]

/** Swarm is out of scope: answers are those of a dockerd that is in none. */
export const swarmRoutes: readonly AnyRoute[] = [
  ...PATHS.map(([method, path]) => refused(method, path, 'UNAVAILABLE', NOT_A_MANAGER)),
  refused('POST', '/swarm/init', 'NOT_IMPLEMENTED', 'swarm mode is not supported'),
  refused('POST', '/swarm/join', 'NOT_IMPLEMENTED', 'swarm mode is not supported'),
  refused('POST', '/swarm/leave', 'UNAVAILABLE', 'This node is not part of a swarm'),
]

function refused(
  method: AnyRoute['method'],
  path: string,
  code: 'UNAVAILABLE' | 'NOT_IMPLEMENTED',
  message: string,
): AnyRoute {
  return route({
    method,
    path,
    summary: 'Swarm: refused',
    takesStream: true,
    handle: async () => {
      throw new EngineError(code, message)
    },
  })
}
