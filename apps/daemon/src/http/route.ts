import type { IncomingHttpHeaders } from 'node:http'
import type { Duplex, Readable, Writable } from 'node:stream'
import type { JsonSchema, Schema } from '@ctr/api'
import type { Context } from '../context.ts'
import type { QueryOf, QuerySpec } from './query.ts'
import type { AnswerHeaders } from './stream.ts'

/**
 * One operation of the API: what it reads, and a handler that asks the engine and renders. The value that `handle`
 * returns is the JSON answer; `undefined` is an empty one; a handler that opened a stream returns when it has ended.
 */
export interface Route<Q extends QuerySpec = QuerySpec, B = unknown> {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE'
  /** Without version prefix; `:id` is a name or id, slashes included. */
  readonly path: string
  readonly summary: string
  readonly query?: Q
  /** The JSON body; it may be missing only with `isBodyOptional`. */
  readonly body?: Schema<B>
  readonly isBodyOptional?: boolean
  /** The body is not JSON and is read as it arrives: `call.input`, or `call.openInput`. */
  readonly takesStream?: boolean
  /** It may ask for the connection itself: `call.takeOver`. */
  readonly takesConnection?: boolean
  /** A GET whose stream can be a WebSocket as well (`also`), or can be nothing else (`only`). */
  readonly webSocket?: 'also' | 'only'
  /** Minor number of the oldest API version that has it as it is; 24 unless told. */
  readonly oldestApiMinor?: number
  /** Of a good answer; without it 200, or 204 when there is no value. */
  readonly status?: 200 | 201 | 204
  readonly response?: JsonSchema
  readonly handle: (context: Context, call: Call<Q, B>) => Promise<unknown>
}

/** A request, parsed. */
export interface Call<Q extends QuerySpec = QuerySpec, B = unknown> {
  /** The path's `:id`. */
  readonly id: string
  /** The path's `:name` behind it, if there is one. */
  readonly name: string
  readonly query: QueryOf<Q>
  readonly body: B
  readonly headers: IncomingHttpHeaders
  readonly isWebSocket: boolean
  /** Minor number of the API version, 24–51. */
  readonly apiMinor: number
  /** Aborted when the client has gone before the answer was complete. */
  readonly signal: AbortSignal
  readonly input: Readable
  /** As `input`; for a body that may be a large file: a client on this host can leave it to us to read it (body-file.ts). */
  readonly openInput: () => Promise<Readable>
  /** Headers of the answer beside the usual ones. */
  readonly setHeader: (name: string, value: string) => void
  /**
   * Begins an answer of bytes whose length is not known: a chunked response, or binary messages of a WebSocket.
   * Headers are sent at once. The handler ends it.
   */
  readonly openOutput: (contentType: string) => Promise<Writable>
  /**
   * Takes the connection over for bytes in both directions: 101 after `Upgrade: tcp`, binary messages of a
   * WebSocket, or for clients that asked for neither, 200 and the bare connection.
   */
  readonly takeOver: (contentType: string, headers?: AnswerHeaders) => Promise<Duplex>
}

/** A route as the server keeps it, its types checked and forgotten. */
export type AnyRoute = Route<QuerySpec, unknown>

/** Declares a route; infers the types of query and body. */
export function route<const Q extends QuerySpec = Record<never, never>, B = undefined>(
  declared: Route<Q, B>,
): AnyRoute {
  return declared as unknown as AnyRoute
}
