import { type Static, StringMap, StringOrStrings, Strings, Type } from './schema.ts'

/** Durations are nanoseconds; 0 or absent inherits the image's value or Docker's default. */
export const HealthConfig = Type.Partial({
  /** `[]` inherit, `["NONE"]` disable, `["CMD", …]`, `["CMD-SHELL", command]`. */
  Test: Strings(),
  Interval: Type.Integer(),
  Timeout: Type.Integer(),
  StartPeriod: Type.Integer(),
  StartInterval: Type.Integer(),
  Retries: Type.Integer(),
})
export type HealthConfig = Static<typeof HealthConfig>

/** The portable half of a container: what `docker commit` would put into an image. */
export const ContainerConfig = Type.Partial({
  Hostname: Type.String(),
  Domainname: Type.String(),
  User: Type.String(),
  AttachStdin: Type.Boolean(),
  AttachStdout: Type.Boolean(),
  AttachStderr: Type.Boolean(),
  /** Keys are `80/tcp`; a missing protocol means tcp. */
  ExposedPorts: Type.Map(Type.Object({})),
  Tty: Type.Boolean(),
  OpenStdin: Type.Boolean(),
  StdinOnce: Type.Boolean(),
  Env: Strings(),
  Cmd: StringOrStrings(),
  Healthcheck: HealthConfig,
  ArgsEscaped: Type.Boolean(),
  Image: Type.String(),
  Volumes: Type.Map(Type.Object({})),
  WorkingDir: Type.String(),
  /** Absent inherits from the image, `[""]` (or `[]`) resets. */
  Entrypoint: StringOrStrings(),
  NetworkDisabled: Type.Boolean(),
  /** Deprecated since v1.44, where it moved to EndpointSettings. */
  MacAddress: Type.String(),
  OnBuild: Strings(),
  Labels: StringMap(),
  StopSignal: Type.String(),
  /** Seconds; negative waits for ever. */
  StopTimeout: Type.Integer(),
  Shell: StringOrStrings(),
})
export type ContainerConfig = Static<typeof ContainerConfig>
