import { randomBytes } from 'node:crypto'
import type { ProgressMessage } from '@ctr/api'
import { requires } from '@ctr/testkit'
import { dockerArchive, openTestImages, streamOf, tarOf } from './fixture.ts'

export const BASE = tarOf([
  { path: 'bin', type: 'directory', mode: 0o755 },
  { path: 'bin/sh', type: 'file', mode: 0o755, data: randomBytes(3_000_000) },
])
export const TOP = tarOf([{ path: 'etc/motd', type: 'file', data: 'hello' }])
export const skip = requires({ root: true, commands: ['docker-registry'] })

/** Pushes an image of BASE and TOP as `<host>/team/app:v1`. Returns its id. */
export async function pushApp(
  host: string,
  auth?: { username: string; password: string },
): Promise<string> {
  await using test = openTestImages()
  const name = `${host}/team/app:v1`
  await test.images.load(streamOf(dockerArchive([BASE, TOP], { tags: [name] })), {})
  await test.images.push(name, auth === undefined ? {} : { auth })
  return test.images.get(name).id
}

export function recorder(): { lines: string[]; onProgress: (message: ProgressMessage) => void } {
  const lines: string[] = []
  return {
    lines,
    onProgress: ({ status = '', id }) => {
      const line = id === undefined ? status : `${id}: ${status}`
      if (line !== lines.at(-1)) lines.push(line)
    },
  }
}
