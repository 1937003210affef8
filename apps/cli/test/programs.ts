import { join } from 'node:path'

/** The checkout. */
export const repository = join(import.meta.dirname, '../../..')

/** bin/ctr, which has the daemon do `run` and `exec`. */
export const FRONT = join(repository, 'bin/ctr')
/** The client for everything else. */
export const CLIENT = join(repository, 'apps/cli/dist/ctr')
