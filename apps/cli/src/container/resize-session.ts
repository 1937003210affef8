import { type Client, resizeContainer } from '@ctr/client'
import type { TerminalSize } from '../terminal/size.ts'

export function resizeSession(client: Client, id: string): (size: TerminalSize) => Promise<void> {
  return (size) => resizeContainer(client, id, size)
}
