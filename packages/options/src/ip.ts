/**
 * 4, 6, or 0 for what is no IP address. node:net is loaded when it is needed: importing it costs the compiled executable
 * 2 ms in every command.
 */
export function ipVersion(text: string): number {
  return process.getBuiltinModule('node:net').isIP(text)
}
