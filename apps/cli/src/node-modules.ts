import type * as FileSystem from 'node:fs'
import type * as Path from 'node:path'

/**
 * Node's modules on demand: in the compiled executable a static import of node:fs takes 2 ms of every command's start,
 * node:path 1 ms and node:tty 4 ms, the first module on demand 5 ms, and few commands need any of them.
 */
let fs: typeof FileSystem | undefined

export function nodeFs(): typeof FileSystem {
  fs ??= process.getBuiltinModule('node:fs')
  return fs
}

export function nodePath(): typeof Path {
  return process.getBuiltinModule('node:path')
}

/** Bun's own question to the kernel; asking its node:tty takes 13 ms. */
export function isTerminal(fd: number): boolean {
  if (process.versions['bun'] === undefined) {
    return process.getBuiltinModule('node:tty').isatty(fd)
  }
  const bun = process as unknown as {
    binding(name: 'tty_wrap'): { isTTY(fd: number): boolean }
  }
  return bun.binding('tty_wrap').isTTY(fd)
}
