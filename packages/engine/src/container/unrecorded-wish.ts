import { readFileSync, writeFileSync } from 'node:fs'
import { isErrno } from '@ctr/errdefs'
import { isStorageError } from '@ctr/store'
import type { Engine } from '../engine.ts'
import type { Bookkeeping, ContainerRecord, Removal } from './container.ts'
import { containerRuntimeDir } from './runtime-dir.ts'

/**
 * The wish that a run ends, which the database has not taken (a full disk): it holds for the end of this run all the same.
 * Also a file in the runtime directory, which is no part of that disk, for an engine that comes after us.
 */
export interface Wish {
  readonly isRestartCancelled: boolean
  readonly killAtNs: bigint
  readonly removal: Removal
}

type Wishes = Pick<Engine, 'config' | 'log' | 'unrecordedWishes'>

export function keepWish(
  engine: Wishes,
  id: string,
  { isRestartCancelled, killAtNs, removal }: Bookkeeping,
): void {
  engine.unrecordedWishes.set(id, { isRestartCancelled, killAtNs, removal })
  try {
    const document = { isRestartCancelled, killAtNs: String(killAtNs), removal }
    writeFileSync(wishFile(engine, id), JSON.stringify(document), { mode: 0o600 })
  } catch (err) {
    engine.log.error({ containerId: id, err }, 'keep a wish that cannot be recorded')
  }
}

/** The bookkeeping with what was wished of this run. */
export function withWish(
  engine: Pick<Wishes, 'unrecordedWishes'>,
  { id, bookkeeping }: ContainerRecord,
): Bookkeeping {
  const wish = engine.unrecordedWishes.get(id)
  if (wish === undefined) return bookkeeping
  return {
    ...bookkeeping,
    isManuallyStopped: true,
    isRestartCancelled: bookkeeping.isRestartCancelled || wish.isRestartCancelled,
    killAtNs: wish.killAtNs === 0n ? bookkeeping.killAtNs : wish.killAtNs,
    removal: wish.removal === '' ? bookkeeping.removal : wish.removal,
  }
}

/** When the engine begins: what the previous one could not record of a run that has not ended, or whose end is not recorded. */
export function recoverWish(
  engine: Wishes & Pick<Engine, 'containers' | 'events'>,
  container: ContainerRecord,
): void {
  const { id } = container
  const wish = readWish(wishFile(engine, id))
  if (wish === undefined) return
  engine.unrecordedWishes.set(id, wish)
  try {
    engine.events.commit('volatile', () => {
      engine.containers.change(id, { bookkeeping: withWish(engine, container) })
    })
  } catch (err) {
    if (!isStorageError(err)) throw err
    engine.log.error({ containerId: id, err }, 'a wish that cannot be recorded')
  }
}

function readWish(path: string): Wish | undefined {
  try {
    const { isRestartCancelled, killAtNs, removal } = JSON.parse(readFileSync(path, 'utf8')) as {
      readonly isRestartCancelled: boolean
      readonly killAtNs: string
      readonly removal: Removal
    }
    return { isRestartCancelled, killAtNs: BigInt(killAtNs), removal }
  } catch (error) {
    // Cut short: the exec root was full, too.
    if (isErrno(error, 'ENOENT', 'ENOTDIR') || error instanceof SyntaxError) return undefined
    throw error
  }
}

function wishFile({ config }: Pick<Engine, 'config'>, id: string): string {
  return `${containerRuntimeDir(config, id)}/wish`
}
