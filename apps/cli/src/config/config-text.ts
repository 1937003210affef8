import { nodeFs } from '../node-modules.ts'

/**
 * config.json as it is, empty if there is none. Mapped by Bun in the compiled executable, which takes 0.1 ms: node:fs would cost
 * every command 2 ms, and `Bun.file` the start of two threads.
 */
export function readConfigText(configDirectory: string): string {
  const path = `${configDirectory}/config.json`
  const bun = (globalThis as { Bun?: { mmap(path: string): Uint8Array } }).Bun
  try {
    if (bun === undefined) return nodeFs().readFileSync(path, 'utf8')
    return new TextDecoder().decode(bun.mmap(path))
  } catch {
    return '' // not there, or empty
  }
}
