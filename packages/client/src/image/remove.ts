import type { ImageDeleted } from '@ctr/api'
import type { Client } from '../client.ts'
import { imagePath } from './path.ts'

/** CONFLICT: containers use it. */
export function removeImage(
  client: Client,
  ref: string,
  options: { readonly force?: boolean; readonly noPrune?: boolean } = {},
): Promise<ImageDeleted[]> {
  const query = { force: options.force, noprune: options.noPrune }
  return client.json({ method: 'DELETE', path: imagePath(ref), query })
}
