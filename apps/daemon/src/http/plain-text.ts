/**
 * An error that is told in plain words under a content type of its own: a client of dockerd's `attach` may not look for JSON
 * there. moby api/server/router/container postContainersAttach
 */
export class PlainFailure extends Error {
  readonly contentType: string

  constructor(cause: unknown, contentType: string) {
    super(cause instanceof Error ? cause.message : String(cause), { cause })
    this.contentType = contentType
  }
}

/** A short answer that is not JSON. */
export class PlainText {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}
