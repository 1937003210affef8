import { type Client, killContainer } from '@ctr/client'
import { forwardSignals } from '../terminal/signals.ts'

/** From here on our signals are the container's. Returns the way back. */
export function proxySignals(client: Client, id: string): () => void {
  return forwardSignals((signal) => killContainer(client, id, { signal }))
}
