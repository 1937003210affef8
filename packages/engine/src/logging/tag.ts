import { hostname } from 'node:os'
import type { ContainerConfig, HostConfig } from '@ctr/api'
import { EngineError } from '@ctr/errdefs'
import { Template } from '@ctr/template'
import { loggedAttributes } from './attributes.ts'

/** What a tag can speak of. */
export interface TagSubject {
  readonly id: string
  readonly name: string
  readonly imageId: string
  readonly imageReference: string
  readonly path: string
  readonly args: readonly string[]
  readonly createdAtNs: bigint
  readonly config: ContainerConfig
  readonly hostConfig: HostConfig
}

const DEFAULT_TAG = '{{.ID}}'

/**
 * `tag` of the log options is a Go template over Docker's logger.Info; empty: the short id. INVALID_ARGUMENT with Docker's text.
 * moby daemon/logger/loggerutils/log_tag.go
 */
export function renderTag(text: string | undefined, subject: TagSubject): string {
  try {
    const template = new Template(text || DEFAULT_TAG, {
      name: 'log-tag',
      missingField: (name) => `can't evaluate field ${name} in type *logger.Info`,
    })
    return template.execute(loggerInfo(subject))
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    const message = `failed to initialize logging driver: ${reason}`
    throw new EngineError('INVALID_ARGUMENT', message, { cause })
  }
}

const SHORT_LENGTH = 12
const NS_PER_MS = 1_000_000n

/** moby daemon/logger/loginfo.go: fields, and methods, which are no part of `{{json .}}`. */
function loggerInfo(subject: TagSubject): object {
  const { id, name, imageId, imageReference, path, args, config, hostConfig } = subject
  const options = hostConfig.LogConfig?.Config ?? {}
  const fields = {
    Config: options,
    ContainerID: id,
    ContainerName: `/${name}`,
    ContainerEntrypoint: path,
    ContainerArgs: args,
    ContainerImageID: imageId,
    ContainerImageName: imageReference,
    ContainerCreated: new Date(Number(subject.createdAtNs / NS_PER_MS)).toISOString(),
    ContainerEnv: config.Env ?? [],
    ContainerLabels: config.Labels ?? {},
    DaemonName: 'ctr',
  }
  const methods = {
    ID: () => id.slice(0, SHORT_LENGTH),
    FullID: () => id,
    Name: () => name,
    // With the `sha256:`, as Docker cuts it.
    ImageID: () => imageId.slice(0, SHORT_LENGTH),
    ImageFullID: () => imageId,
    ImageName: () => imageReference,
    Command: () => [path, ...args].join(' '),
    Hostname: () => hostname(),
    ExtraAttributes: () => loggedAttributes(config, options),
  }
  for (const [name, value] of Object.entries(methods)) {
    Object.defineProperty(fields, name, { value, enumerable: false })
  }
  return fields
}
