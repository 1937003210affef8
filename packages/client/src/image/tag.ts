import type { Client } from '../client.ts'
import { imagePath } from './path.ts'

export async function tagImage(
  client: Client,
  ref: string,
  target: { readonly repository: string; readonly tag: string },
): Promise<void> {
  const query = { repo: target.repository, tag: target.tag }
  await client.run({ method: 'POST', path: `${imagePath(ref)}/tag`, query })
}
