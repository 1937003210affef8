import { execFileSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const repository = join(dirname(fileURLToPath(import.meta.url)), '../../..')
const MINIMUM_MAJOR = 4

/**
 * The criu for tests: `CTR_TEST_CRIU`, the one on the PATH, or what `scripts/fetch-criu.sh` has fetched; undefined if
 * none of them is new enough.
 */
export function findTestCriu(): string | undefined {
  const asked = process.env['CTR_TEST_CRIU'] ?? ''
  const candidates = asked === '' ? ['criu', join(repository, '.build/criu/criu')] : [asked]
  return candidates.find((path) => majorOf(path) >= MINIMUM_MAJOR)
}

/** Why a machine without it skips. */
export const NO_CRIU =
  'needs criu 4 or newer: CTR_TEST_CRIU=/path/to/criu, or sh scripts/fetch-criu.sh'

function majorOf(path: string): number {
  try {
    const text = execFileSync(path, ['--version'], { encoding: 'utf8', stdio: 'pipe' })
    return Number(/^Version:\s*(\d+)/m.exec(text)?.[1] ?? 0)
  } catch {
    return 0
  }
}
