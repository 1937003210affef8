import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const NATIVE = fileURLToPath(new URL('../native', import.meta.url))
/** ctr-files with AddressSanitizer and UBSan. */
export const BINARY = join(NATIVE, 'build/test/ctr-files')

/** Makes `BINARY`; of test files that run side by side one at a time. flock(1) */
export function makeProgram(): void {
  execFileSync('flock', [NATIVE, 'make', '-C', NATIVE, 'test'], { stdio: 'ignore' })
}

export class Folder implements Disposable {
  readonly path = mkdtempSync('/tmp/ctr-files-test-')
  join(name: string): string {
    return join(this.path, name)
  }
  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}
