import type { AuthConfig, HostConfig, ProgressMessage } from '@ctr/api'

/** A build as it was asked for; checked. */
export interface BuildRequest {
  /** `repository[:tag]` */
  readonly tags: readonly string[]
  /** Path of the Dockerfile in the context. */
  readonly dockerfile: string
  readonly target: string
  readonly platform: string
  readonly args: ReadonlyMap<string, string>
  readonly labels: Readonly<Record<string, string>>
  readonly isUncached: boolean
  readonly cacheFrom: readonly string[]
  /** Ask the registry for base images that are here. */
  readonly pulls: boolean
  /** Containers of steps go: after success, and after failure. */
  readonly removes: boolean
  readonly removesAlways: boolean
  /** Limits and networks of the containers that run its steps. */
  readonly hostConfig: HostConfig
  readonly auth: (registry: string) => AuthConfig | undefined
  readonly signal: AbortSignal
}

/** What a build tells while it goes on. */
export interface BuildOutput {
  text(text: string): void
  /** What a step writes to stderr. */
  errors(text: string): void
  /** The reader can take more: a command may write faster than it reads. */
  ready(): Promise<void>
  /** Of a pull. */
  progress(message: ProgressMessage): void
  /** A stage has become this image. */
  image(id: string): void
}
