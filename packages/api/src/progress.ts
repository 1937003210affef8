import { type Static, Type } from './schema.ts'

/** One object of the progress streams of pull, push, load, import and build. */
export const ProgressMessage = Type.Object({
  status: Type.Optional(Type.String()),
  /** Layer or tag that `status` speaks of. */
  id: Type.Optional(Type.String()),
  stream: Type.Optional(Type.String()),
  progress: Type.Optional(Type.String()),
  progressDetail: Type.Optional(
    Type.Object({
      current: Type.Optional(Type.Integer()),
      total: Type.Optional(Type.Integer()),
      /** Of both; absent: bytes. */
      units: Type.Optional(Type.String()),
      hidecounts: Type.Optional(Type.Boolean()),
    }),
  ),
  /** After the 200 was sent, an error can only travel in the stream. */
  error: Type.Optional(Type.String()),
  errorDetail: Type.Optional(
    Type.Object({ code: Type.Optional(Type.Integer()), message: Type.String() }),
  ),
  aux: Type.Optional(Type.Unknown()),
})
export type ProgressMessage = Static<typeof ProgressMessage>
