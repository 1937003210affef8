import { assertPlatform, countBuffer, saveImages } from '@ctr/engine'
import { EngineError } from '@ctr/errdefs'
import type { Context } from '../../context.ts'
import { ANCIENT_API_MINOR } from '../../http/api-version.ts'
import { type Call, route } from '../../http/route.ts'
import { sendStream } from '../../http/send-stream.ts'
import { parseOciPlatform } from './oci-platform.ts'

export const saveImageRoute = route({
  method: 'GET',
  path: '/images/:id/get',
  summary: 'Save one image as a tar archive',
  query: { platform: 'string' },
  oldestApiMinor: ANCIENT_API_MINOR,
  status: 200,
  handle: async (context, call) => await send(context, call, [call.id]),
})

export const saveImagesRoute = route({
  method: 'GET',
  path: '/images/get',
  summary: 'Save images as one tar archive',
  query: { names: 'strings', platform: 'string' },
  oldestApiMinor: ANCIENT_API_MINOR,
  status: 200,
  handle: async (context, call) => {
    const names = call.query.names.flatMap((name) => name.split(',')).filter((name) => name !== '')
    if (names.length === 0) throw new EngineError('INVALID_ARGUMENT', 'no images to save')
    return await send(context, call, names)
  },
})

async function send(
  { engine }: Pick<Context, 'engine'>,
  call: Pick<Call, 'openOutput' | 'apiMinor'> & { query: { platform?: string | undefined } },
  names: readonly string[],
): Promise<undefined> {
  const platform = call.apiMinor >= 48 ? parseOciPlatform(call.query.platform) : ''
  for (const name of names) assertExportable(engine.images.get(name).config, name, platform)
  const archive = saveImages(engine, names)
  const output = await call.openOutput('application/x-tar')
  archive.on('data', (chunk: Buffer) => countBuffer(chunk.length))
  await sendStream(archive, output)
  return undefined
}

function assertExportable(
  config: Parameters<typeof assertPlatform>[0],
  name: string,
  platform: string,
): void {
  try {
    assertPlatform(config, name, platform)
  } catch (cause) {
    const message = `no suitable export target found for platform ${platform}`
    throw new EngineError('NOT_FOUND', message, { cause })
  }
}
