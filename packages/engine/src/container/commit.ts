import type { ContainerConfig } from '@ctr/api'
import { EngineError, isErrno } from '@ctr/errdefs'
import { applyChanges } from '@ctr/images'
import { freezeCgroup, thawCgroup } from '@ctr/linux'
import { familiarReference, type ImageExecConfig, parseReference, withDefaultTag } from '@ctr/oci'
import type { Engine } from '../engine.ts'
import { imageEvent } from '../image/image-event.ts'
import type { ContainerRecord } from './container.ts'
import { containerEvent } from './container-event.ts'
import { containerCgroup } from './leftovers.ts'
import { noSuchContainer } from './registry.ts'

export interface CommitRequest {
  readonly container: string
  /** `repository[:tag]`; absent: the image has no name. */
  readonly reference?: string
  readonly author: string
  readonly comment: string
  /** Dockerfile instructions: `CMD ["sh"]`. */
  readonly changes: readonly string[]
  /** Freeze it meanwhile. */
  readonly pause: boolean
  /** Instead of the container's config. */
  readonly config?: ContainerConfig
}

/** Makes an image of what the container has changed; volumes are not part of it. Gives the image's id. */
export async function commitContainer(engine: Engine, request: CommitRequest): Promise<string> {
  const { id } = engine.containers.get(request.container)
  return await engine.queues.run(id, async () => {
    const container = engine.containers.byId(id)
    if (container === undefined) throw noSuchContainer(request.container)
    if (container.state.status === 'removing' || container.state.status === 'dead') {
      throw new EngineError(
        'CONFLICT',
        `You cannot commit container ${id} which is ${container.state.status}`,
      )
    }
    if (container.imageId === '') {
      throw new EngineError(
        'CONFLICT',
        `container ${id} runs a directory, not an image: export it and import that`,
      )
    }
    const cgroup = containerCgroup(engine, container)
    const freezes = request.pause && container.state.status === 'running'
    await using stack = new AsyncDisposableStack()
    if (freezes && (await freezeUnlessEnded(engine, cgroup))) {
      stack.defer(() => {
        thawCgroup(engine.host.cgroups, cgroup)
        engine.events.emit(containerEvent(container, 'unpause'))
      })
      engine.events.emit(containerEvent(container, 'pause'))
    }
    const imageId = await engine.images.commit({
      parentId: container.imageId,
      changes: { kind: 'container', upperDir: container.upperDir },
      config: imageConfig(container, request),
      author: request.author,
      comment: request.comment,
      createdBy: [container.path, ...container.args].join(' '),
      ...(request.reference === undefined ? {} : { reference: request.reference }),
    })
    if (request.reference !== undefined) {
      const shown = familiarReference(withDefaultTag(parseReference(request.reference)))
      engine.events.emit(imageEvent(engine, imageId, 'tag', shown))
    }
    engine.events.emit(
      containerEvent(container, 'commit', {
        comment: request.comment,
        imageID: imageId,
        imageRef: request.reference ?? '',
      }),
    )
    return imageId
  })
}

/** False: its last process has ended, and the cgroup with it, before the engine has heard of it. */
async function freezeUnlessEnded(engine: Pick<Engine, 'host'>, cgroup: string): Promise<boolean> {
  try {
    await freezeCgroup(engine.host.cgroups, cgroup)
    return true
  } catch (error) {
    const isGone = (reason: unknown): boolean => isErrno(reason, 'ENOENT', 'ENODEV')
    if (isGone(error) || (error instanceof Error && isGone(error.cause))) return false
    throw error
  }
}

/** What of the container's config an image has. Unset is absent: documents are compared by their digest. */
function imageConfig(container: ContainerRecord, request: CommitRequest): ImageExecConfig {
  const config = { ...container.config, ...request.config }
  const fields: ImageExecConfig = {
    User: config.User,
    ExposedPorts: config.ExposedPorts,
    Env: config.Env,
    Entrypoint: config.Entrypoint?.length === 0 ? undefined : config.Entrypoint,
    Cmd: config.Cmd,
    Volumes: config.Volumes,
    WorkingDir: config.WorkingDir,
    Labels: config.Labels,
    StopSignal: config.StopSignal,
    Healthcheck: config.Healthcheck,
    Shell: config.Shell,
    OnBuild: config.OnBuild,
  }
  const set = Object.entries(fields).filter(([, value]) => value !== undefined && value !== '')
  return applyChanges(Object.fromEntries(set), request.changes)
}
