import { nodeFs } from '../node-modules.ts'

/**
 * config.json as it is, empty if there is none: for what every command has to know. Whoever needs more reads all of it, and
 * complains of it. By Bun itself in the compiled executable: node:fs would cost every command 2 ms.
 */
export async function readConfigText(configDirectory: string): Promise<string> {
  const path = `${configDirectory}/config.json`
  const bun = (globalThis as { Bun?: { file(path: string): { text(): Promise<string> } } }).Bun
  try {
    return bun === undefined ? nodeFs().readFileSync(path, 'utf8') : await bun.file(path).text()
  } catch {
    return '' // not there
  }
}
