import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const repository = join(dirname(fileURLToPath(import.meta.url)), '../../..')

/** $CTR_TEST_CTRD: what `npm test` has just built; else the source. */
export function ctrd(): readonly string[] {
  const built = process.env['CTR_TEST_CTRD']
  return built === undefined
    ? [process.execPath, join(repository, 'apps/daemon/src/main.ts')]
    : [built]
}

/** bin/ctr if it was built, else the CLI from its source. */
export function cli(): string[] {
  const built = join(repository, 'bin/ctr')
  return existsSync(built) ? [built] : [process.execPath, join(repository, 'apps/cli/src/main.ts')]
}
