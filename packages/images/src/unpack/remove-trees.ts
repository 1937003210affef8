import { fromText } from '../tar/format.ts'
import { FileProgram } from './file-program.ts'

/**
 * Removes `names`, files or directories of `directory`, with all that is in them. In a process of its own: Node's `rm` holds every name
 * of a tree at once, which is a gigabyte for a million files. Those that are not there are an error.
 */
export async function removeTrees(directory: string, names: readonly string[]): Promise<void> {
  const program = new FileProgram(fromText(directory), '/dev/null')
  try {
    for (const name of names) program.remove(fromText(name))
    await program.finish()
  } finally {
    await program.abort()
  }
}
