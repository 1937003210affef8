/**
 * What options take from the machine on which the command was typed. Nothing else in this package looks at files, environment
 * or current directory: the daemon reads command lines of its clients with it, and is elsewhere.
 */
export interface ClientMachine {
  /** The value of a variable of the environment, with all its bytes (`textOfBytes`). */
  variable(name: string): string | undefined
  /** Throws with Go's text: `open /nope: no such file or directory`. */
  readFile(path: string): Uint8Array
  /** From the current directory. */
  absolutePath(path: string): string
}
