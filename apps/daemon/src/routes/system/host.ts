import { readFileSync } from 'node:fs'
import { arch, release } from 'node:os'

/** Go's names of architectures. */
export function goArchitecture(): string {
  const names: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', mipsel: 'mipsle' }
  return names[arch()] ?? arch()
}

export function kernelVersion(): string {
  return release()
}

/** os-release(5): the name and version of the host's system. */
export function operatingSystem(): { name: string; version: string } {
  for (const path of ['/etc/os-release', '/usr/lib/os-release']) {
    try {
      const text = readFileSync(path, 'utf8')
      return {
        name: field(text, 'PRETTY_NAME') ?? 'Linux',
        version: field(text, 'VERSION_ID') ?? '',
      }
    } catch {
      // The other place, or none: it is only for people to read.
    }
  }
  return { name: 'Linux', version: '' }
}

function field(text: string, key: string): string | undefined {
  return new RegExp(`^${key}=["']?(.*?)["']?$`, 'm').exec(text)?.[1]
}
