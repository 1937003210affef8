import { type Static, Type } from './schema.ts'

/** `POST /containers/{id}/checkpoints`. The last two are ours. */
export const CheckpointCreate = Type.Partial({
  CheckpointID: Type.String(),
  CheckpointDir: Type.String(),
  Exit: Type.Boolean(),
  /** Established TCP connections are part of it; without it they make it fail. */
  TcpEstablished: Type.Boolean(),
  FileLocks: Type.Boolean(),
})
export type CheckpointCreate = Static<typeof CheckpointCreate>

export const CheckpointSummary = Type.Object({ Name: Type.String() })
export type CheckpointSummary = Static<typeof CheckpointSummary>
