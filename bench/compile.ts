import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

/** Compiles bench/`name`.c into `folder`, gives the program's path. */
export function compile(name: string, folder: string): string {
  const binary = join(folder, `${name}-bin`)
  const source = join(import.meta.dirname, `${name}.c`)
  const flags = ['-O2', '-Wall', '-Wextra', '-Werror', '-static']
  execFileSync('gcc', [...flags, '-o', binary, source])
  return binary
}
