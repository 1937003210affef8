import { type Static, Type } from './schema.ts'

/** `POST /containers/{id}/checkpoints`. What follows `Exit` is ours. */
export const CheckpointCreate = Type.Partial({
  CheckpointID: Type.String(),
  CheckpointDir: Type.String(),
  Exit: Type.Boolean(),
  /** Established TCP connections are part of it; without it they make it fail. */
  TcpEstablished: Type.Boolean(),
  FileLocks: Type.Boolean(),
  /** Datagram sockets of the host, in its network namespace, are connected again. */
  ExtUnixSk: Type.Boolean(),
  /** `address:port` of a criu page-server, which takes the memory; the rest stays in the checkpoint. */
  PageServer: Type.String(),
})
export type CheckpointCreate = Static<typeof CheckpointCreate>

export const CheckpointSummary = Type.Object({ Name: Type.String() })
export type CheckpointSummary = Static<typeof CheckpointSummary>
