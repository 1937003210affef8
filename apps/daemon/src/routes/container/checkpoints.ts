import { CheckpointCreate, CheckpointSummary, Type } from '@ctr/api'
import { createCheckpoint, listCheckpoints, removeCheckpoint } from '@ctr/engine'
import { route } from '../../http/route.ts'

export const createCheckpointRoute = route({
  method: 'POST',
  path: '/containers/:id/checkpoints',
  summary: 'Write the processes of a running container to a checkpoint',
  body: CheckpointCreate,
  status: 201,
  handle: async ({ engine }, { id, body }) =>
    createCheckpoint(engine, id, {
      name: body.CheckpointID ?? '',
      directory: body.CheckpointDir ?? '',
      exit: body.Exit ?? false,
      tcpEstablished: body.TcpEstablished ?? false,
      fileLocks: body.FileLocks ?? false,
    }),
})

export const listCheckpointsRoute = route({
  method: 'GET',
  path: '/containers/:id/checkpoints',
  summary: 'List the checkpoints of a container',
  query: { dir: 'string' },
  response: Type.Array(CheckpointSummary),
  handle: async ({ engine }, { id, query }) =>
    listCheckpoints(engine, id, query.dir ?? '').map((name) => ({ Name: name })),
})

export const removeCheckpointRoute = route({
  method: 'DELETE',
  path: '/containers/:id/checkpoints/:name',
  summary: 'Remove a checkpoint',
  query: { dir: 'string' },
  status: 204,
  handle: async ({ engine }, { id, name, query }) =>
    removeCheckpoint(engine, id, name, query.dir ?? ''),
})
