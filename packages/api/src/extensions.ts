import { StringMap, Strings, Type } from './schema.ts'

/** A secret in a container. */
const SecretMount = Type.Partial({
  /** Name or id. */
  Source: Type.String(),
  /** `mount` (the default) or `env`. */
  Type: Type.String(),
  /** mount: a path, relative to /run/secrets; env: the variable. Without it the secret's name. */
  Target: Type.String(),
  UID: Type.Integer(),
  GID: Type.Integer(),
  /** 0444 without it. */
  Mode: Type.Integer(),
})

/** What Docker's HostConfig does not have. All absent: a container as Docker makes it. Most are Podman's. */
export const hostExtensions = {
  /** `none`, `kill`, `restart`, `stop`: when the health check fails. */
  HealthOnFailure: Type.String(),
  /** Containers that are started before this one: `name` or `name:healthy`. */
  Requires: Strings(),
  /** Seconds after which a run is killed; 0 never. */
  RunTimeout: Type.Integer(),
  /** A directory of the host that is the root filesystem, instead of an image. `:O` at its end keeps it unchanged. */
  Rootfs: Type.String(),
  /** Files of the container's cgroup (v2) and what is written to them. */
  CgroupConf: StringMap(),
  /** With UsernsMode `map`: `inside:outside[:count]`; without a GidMap it is as the UidMap. */
  UidMap: Strings(),
  GidMap: Strings(),
  Secrets: Type.Array(SecretMount),
} as const

/** Nanoseconds; 0 or absent: Docker's 100 ms, 1 min, and doubling. */
export const restartExtensions = {
  MinimumDelay: Type.Integer(),
  MaximumDelay: Type.Integer(),
  /** Hundredths: 200 doubles. */
  DelayFactor: Type.Integer(),
} as const
