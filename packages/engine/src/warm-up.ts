import { defaultSeccomp, selectCapabilities } from '@ctr/oci'
import { explainContainer } from './container/explain.ts'
import type { Engine } from './engine.ts'

/** Requests that wait for the engine to be ready go first. */
const PAUSE_MS = 200

/**
 * Does what would otherwise cost the first container some 70 ms: libseccomp is loaded, the default filter compiled and kept,
 * and the code that plans a container run once, with nothing made. Unless there has been a first container. Dispose to cancel.
 */
export function warmUp(engine: Engine): Disposable {
  return engine.clock.after(PAUSE_MS, () => {
    try {
      const { arch, kernel, heldCapabilities } = engine.host
      const capabilities = selectCapabilities({ available: heldCapabilities })
      const profile = defaultSeccomp({ capabilities, arch, kernel })
      if (engine.seccompFilters.has(profile)) return
      engine.seccompFilters.get(profile)
    } catch (err) {
      // A host without libseccomp runs unconfined containers; the others are told when they start.
      engine.log.debug({ err }, 'warm-up')
    }
    const [image] = engine.images.list()
    if (image === undefined) return
    engine.spareDirectories.make()
    explainContainer(engine, { config: { Image: image.id, Cmd: ['true'] }, hostConfig: {} }).catch(
      (err: unknown) => engine.log.debug({ err }, 'warm-up'),
    )
  })
}
