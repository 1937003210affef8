import type { PathStat } from '@ctr/api'
import { extractArchive, readArchive, statPath } from '@ctr/engine'
import { EngineError } from '@ctr/errdefs'
import { type Call, route } from '../../http/route.ts'
import { sendStream } from '../../http/send-stream.ts'

export const statArchiveRoute = route({
  method: 'HEAD',
  path: '/containers/:id/archive',
  summary: 'Get facts about a file of a container, in a header',
  query: { path: 'string' },
  status: 200,
  handle: async ({ engine }, { id, query, setHeader }) => {
    setStatHeader(setHeader, await statPath(engine, id, required(query.path)))
    return undefined
  },
})

export const readArchiveRoute = route({
  method: 'GET',
  path: '/containers/:id/archive',
  summary: 'Get a file or directory of a container as a tar archive',
  query: { path: 'string' },
  status: 200,
  handle: async ({ engine }, { id, query, setHeader, openOutput }) => {
    const { stat, stream } = await readArchive(engine, id, required(query.path))
    setStatHeader(setHeader, stat)
    await sendStream(stream, await openOutput('application/x-tar'))
    return undefined
  },
})

export const extractArchiveRoute = route({
  method: 'PUT',
  path: '/containers/:id/archive',
  summary: 'Unpack a tar archive into a directory of a container',
  query: { path: 'string', noOverwriteDirNonDir: 'boolean', copyUIDGID: 'boolean' },
  takesStream: true,
  status: 200,
  handle: async ({ engine }, { id, query, input }) => {
    await extractArchive(engine, id, required(query.path), input, {
      noOverwriteDirNonDir: query.noOverwriteDirNonDir,
      copyUidGid: query.copyUIDGID,
    })
    return undefined
  },
})

/** Docker's text, without its space. */
function required(path: string | undefined): string {
  if (path !== undefined) return path
  throw new EngineError('INVALID_ARGUMENT', 'bad parameter: pathcannot be empty')
}

function setStatHeader(setHeader: Call['setHeader'], stat: PathStat): void {
  setHeader('X-Docker-Container-Path-Stat', Buffer.from(JSON.stringify(stat)).toString('base64'))
}
