import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { requires, run } from '@ctr/testkit'

/** Why this machine has no loop devices, or false. */
export const noLoop: string | false = requires({
  root: true,
  commands: ['losetup'],
  files: ['/dev/loop-control'],
})

/** A block device of `bytes` that nobody else uses, on a file in `directory`. */
export async function loopDevice(
  directory: string,
  bytes: number,
): Promise<AsyncDisposable & { readonly path: string; readonly numbers: string }> {
  const file = join(directory, 'disk.img')
  const fd = openSync(file, 'w')
  writeSync(fd, Buffer.alloc(bytes, 'x'))
  closeSync(fd)
  const path = await ok('losetup', '--find', '--show', file)
  return {
    path,
    // Of the files of cgroups: LOOP_MAJOR, Documentation/admin-guide/devices.txt
    numbers: `7:${/\d+$/.exec(path)?.[0]}`,
    async [Symbol.asyncDispose](): Promise<void> {
      await ok('losetup', '--detach', path)
      rmSync(file)
    },
  }
}

async function ok(...argv: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run(argv)
  if (code !== 0) throw new Error(`${argv.join(' ')}: ${stderr}`)
  return stdout.trim()
}
