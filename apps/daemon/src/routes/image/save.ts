import type { Readable } from 'node:stream'
import { saveImages } from '@ctr/engine'
import { EngineError } from '@ctr/errdefs'
import { ANCIENT_API_MINOR } from '../../http/api-version.ts'
import { type Call, route } from '../../http/route.ts'
import { sendStream } from '../../http/send-stream.ts'

export const saveImageRoute = route({
  method: 'GET',
  path: '/images/:id/get',
  summary: 'Save one image as a tar archive',
  oldestApiMinor: ANCIENT_API_MINOR,
  status: 200,
  handle: async ({ engine }, call) => await send(call, saveImages(engine, [call.id])),
})

export const saveImagesRoute = route({
  method: 'GET',
  path: '/images/get',
  summary: 'Save images as one tar archive',
  query: { names: 'strings' },
  oldestApiMinor: ANCIENT_API_MINOR,
  status: 200,
  handle: async ({ engine }, call) => {
    const names = call.query.names.flatMap((name) => name.split(',')).filter((name) => name !== '')
    if (names.length === 0) throw new EngineError('INVALID_ARGUMENT', 'no images to save')
    return await send(call, saveImages(engine, names))
  },
})

async function send(call: Pick<Call, 'openOutput'>, archive: Readable): Promise<undefined> {
  await sendStream(archive, await call.openOutput('application/x-tar'))
  return undefined
}
