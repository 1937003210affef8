import type { EngineConfig } from './config.ts'
import type { Engine } from './engine.ts'

/** What may change while containers run: defaults of new ones, and how registries are spoken to. */
const CHANGEABLE = [
  'defaultLog',
  'defaultUlimits',
  'defaultShmSizeBytes',
  'dns',
  'dnsSearch',
  'dnsOptions',
  'labels',
  'initByDefault',
  'noNewPrivileges',
  'defaultIpcMode',
  'defaultCgroupnsMode',
  'registries',
] as const satisfies readonly (keyof EngineConfig)[]

/** Takes over what can be changed of a new configuration, and says so in an event with these attributes. */
export function reconfigureEngine(
  engine: Pick<Engine, 'id' | 'config' | 'events' | 'images' | 'startTemplates'>,
  next: Pick<EngineConfig, (typeof CHANGEABLE)[number]>,
  attributes: Readonly<Record<string, string>>,
): void {
  Object.assign(engine.config, Object.fromEntries(CHANGEABLE.map((key) => [key, next[key]])))
  engine.startTemplates.forget()
  engine.images.setRegistries(next.registries)
  engine.events.emit({ type: 'daemon', action: 'reload', actorId: engine.id, attributes })
}
