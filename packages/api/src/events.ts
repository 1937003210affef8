import { type Static, StringMap, Type } from './schema.ts'

/** One line of `GET /events`. `status`, `id` and `from` repeat the rest for old clients (until v1.51). */
export const EventMessage = Type.Object({
  status: Type.Optional(Type.String()),
  id: Type.Optional(Type.String()),
  from: Type.Optional(Type.String()),
  /** container, image, volume, network, daemon. */
  Type: Type.String(),
  Action: Type.String(),
  Actor: Type.Object({ ID: Type.String(), Attributes: StringMap() }),
  scope: Type.String(),
  /** Unix seconds. */
  time: Type.Integer(),
  timeNano: Type.Integer(),
})
export type EventMessage = Static<typeof EventMessage>
