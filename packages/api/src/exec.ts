import { type Static, StringOrStrings, Strings, Type } from './schema.ts'

/** Body of `POST /containers/{id}/exec`. */
export const ExecConfig = Type.Partial({
  User: Type.String(),
  Privileged: Type.Boolean(),
  Tty: Type.Boolean(),
  /** `[height, width]`, since v1.42. */
  ConsoleSize: Type.Array(Type.Unsigned()),
  AttachStdin: Type.Boolean(),
  AttachStderr: Type.Boolean(),
  AttachStdout: Type.Boolean(),
  Detach: Type.Boolean(),
  DetachKeys: Type.String(),
  Env: Strings(),
  WorkingDir: Type.String(),
  Cmd: StringOrStrings(),
})
export type ExecConfig = Static<typeof ExecConfig>

/** Body of `POST /exec/{id}/start`. */
export const ExecStart = Type.Partial({
  Detach: Type.Boolean(),
  Tty: Type.Boolean(),
  ConsoleSize: Type.Array(Type.Unsigned()),
})
export type ExecStart = Static<typeof ExecStart>

/** An element of `GET /exec/json` (ours). */
export const ExecSummary = Type.Object({
  ID: Type.String(),
  ContainerID: Type.String(),
  /** Without slash. */
  ContainerName: Type.String(),
  Command: Strings(),
  /** Seconds of the Unix clock. */
  Created: Type.Integer(),
  State: Type.Union([Type.Literal('created'), Type.Literal('running'), Type.Literal('exited')]),
  /** 0: it never ran. */
  Pid: Type.Integer(),
  ExitCode: Type.Union([Type.Integer(), Type.Null()]),
  Tty: Type.Boolean(),
})
export type ExecSummary = Static<typeof ExecSummary>

export const ExecInspect = Type.Object({
  ID: Type.String(),
  Running: Type.Boolean(),
  ExitCode: Type.Union([Type.Integer(), Type.Null()]),
  ProcessConfig: Type.Object({
    tty: Type.Boolean(),
    entrypoint: Type.String(),
    arguments: Strings(),
    privileged: Type.Optional(Type.Boolean()),
    user: Type.Optional(Type.String()),
  }),
  OpenStdin: Type.Boolean(),
  OpenStderr: Type.Boolean(),
  OpenStdout: Type.Boolean(),
  CanRemove: Type.Boolean(),
  ContainerID: Type.String(),
  DetachKeys: Type.String(),
  Pid: Type.Integer(),
})
export type ExecInspect = Static<typeof ExecInspect>
