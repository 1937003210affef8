import { CheckpointCreate, CheckpointSummary, Type } from '@ctr/api'
import {
  createCheckpoint,
  exportCheckpoint,
  importCheckpoint,
  listCheckpoints,
  removeCheckpoint,
} from '@ctr/engine'
import { route } from '../../http/route.ts'
import { sendStream } from '../../http/send-stream.ts'

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
      extUnixSockets: body.ExtUnixSk ?? false,
      pageServer: body.PageServer ?? '',
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

/** Ours: a checkpoint, the container's configuration and its writable layer as one archive. */
export const exportCheckpointRoute = route({
  method: 'POST',
  path: '/containers/:id/checkpoint',
  summary: 'Checkpoint a running container into a tar archive',
  query: {
    'leave-running': 'boolean',
    'tcp-established': 'boolean',
    'file-locks': 'boolean',
    keep: 'boolean',
  },
  status: 200,
  handle: async ({ engine }, { id, query, openOutput }) => {
    const stream = await exportCheckpoint(engine, id, {
      exit: !query['leave-running'],
      tcpEstablished: query['tcp-established'],
      fileLocks: query['file-locks'],
      keep: query.keep,
    })
    await sendStream(stream, await openOutput('application/x-tar'))
    return undefined
  },
})

/** Ours. */
export const importCheckpointRoute = route({
  method: 'POST',
  path: '/containers/restore',
  summary: 'Make a container of such an archive and let it go on',
  query: { name: 'string', keep: 'boolean' },
  takesStream: true,
  status: 201,
  handle: async ({ engine }, { query, input }) => {
    const { id, warnings } = await importCheckpoint(engine, input, {
      name: query.name,
      keep: query.keep,
    })
    return { Id: id, Warnings: warnings }
  },
})
