import { stopScope } from '@ctr/linux'
import type { Engine } from '../engine.ts'

/** The name of a container's unit with the cgroup driver `systemd`. */
export function scopeUnit(id: string): string {
  return `ctr-${id}.scope`
}

/**
 * After the last process, or when none came. systemd would see by itself that the cgroup is empty, but for the kernel's
 * word that is lost when the cgroup is removed within 10 ms of another (CGROUP_FILE_NOTIFY_MIN_INTV): then the unit would
 * stay, active, and the container could not be started again.
 */
export async function closeScope(
  { config, log }: Pick<Engine, 'config' | 'log'>,
  id: string,
): Promise<void> {
  if (config.cgroupDriver !== 'systemd') return
  try {
    await stopScope({ unit: scopeUnit(id) })
  } catch (err) {
    log.warn({ containerId: id, err }, 'the systemd unit of a container stays')
  }
}
