import type { ClientMachine } from './client-machine.ts'

/** `-v` (docker/cli compose/loader ParseVolume). The daemon checks what the client cannot know. */
export type VolumeSpec =
  | { readonly kind: 'anonymous'; readonly target: string }
  | { readonly kind: 'bind'; readonly bind: string }

/** `/x`, `name:/x[:options]`, `/host:/x[:options]`, `./host:/x`. Throws an Error with Docker's text. */
export function parseVolume(
  spec: string,
  machine: Pick<ClientMachine, 'absolutePath'>,
): VolumeSpec {
  if (spec === '') throw new Error('invalid empty volume spec')
  const parts = spec.split(':')
  if (parts.includes('')) throw new Error(`invalid spec: ${spec}: empty section between colons`)
  const [source, ...rest] = parts as [string, ...string[]]
  if (rest.length === 0) return { kind: 'anonymous', target: source }
  const isRelative = source.startsWith('.')
  return {
    kind: 'bind',
    bind: [isRelative ? machine.absolutePath(source) : source, ...rest].join(':'),
  }
}
