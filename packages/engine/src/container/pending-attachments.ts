import type { Duplex } from 'node:stream'

/** Which streams an attached client wants. */
export interface AttachStreams {
  readonly stdin: boolean
  readonly stdout: boolean
  readonly stderr: boolean
}

/** Without any, there is nothing to connect: the shim refuses. */
export function wantsStreams({ stdin, stdout, stderr }: AttachStreams): boolean {
  return stdin || stdout || stderr
}

/** A client that attached before the process runs; it gets its stream when it does. */
export interface PendingAttachment {
  readonly streams: AttachStreams
  /** Connected: it runs. Undefined: it will not. */
  readonly resolve: (stream: Duplex | undefined) => void
}

/** Clients that wait for the next start of a container (or exec), by id. */
export class PendingAttachments {
  readonly #byId = new Map<string, Set<PendingAttachment>>()

  add(id: string, attachment: PendingAttachment): Disposable {
    const waiting = this.#byId.get(id) ?? new Set()
    this.#byId.set(id, waiting)
    waiting.add(attachment)
    return {
      [Symbol.dispose]: () => {
        waiting.delete(attachment)
        if (waiting.size === 0 && this.#byId.get(id) === waiting) this.#byId.delete(id)
      },
    }
  }

  /** For a start, which now has to resolve them all. */
  take(id: string): PendingAttachment[] {
    const waiting = this.#byId.get(id)
    this.#byId.delete(id)
    return waiting === undefined ? [] : [...waiting]
  }

  /** The container will not start any more. */
  cancel(id: string): void {
    for (const attachment of this.take(id)) attachment.resolve(undefined)
  }
}
