import { readFileSync, writeFileSync } from 'node:fs'
import { EngineError } from '@ctr/errdefs'
import type { Firewall } from './firewall.ts'

/** A sysctl, for the whole host, as Docker does, and left on: others may have come to rely on it. UNAVAILABLE. */
export function switchOn(path: string): void {
  try {
    if (readFileSync(path, 'utf8').trim() !== '1') writeFileSync(path, '1')
  } catch (error) {
    throw new EngineError('UNAVAILABLE', `cannot set ${path} to 1`, { cause: error })
  }
}

/** Other programs' chains that our `accept` does not overrule. */
export async function warnOfDroppingChains(
  firewall: Firewall,
  log: { warn(fields: object, message: string): void },
): Promise<void> {
  for (const { hook, hint, message } of DROPPED) {
    const chains = await firewall.findDroppingChains(hook)
    if (chains.length > 0) log.warn({ chains, hint }, message)
  }
}

const DROPPED = [
  {
    hook: 'forward',
    hint: 'let it accept our bridges, e.g. in the chain DOCKER-USER',
    message: 'a firewall drops forwarded packets by default',
  },
  {
    hook: 'input',
    hint: 'let it accept port 53 from our bridges: names of containers are answered there',
    message: 'a firewall drops incoming packets by default',
  },
] as const
