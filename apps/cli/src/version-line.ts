import manifest from '../package.json' with { type: 'json' }

export const CLI_VERSION: string = manifest.version

export function versionLine(): string {
  return `ctr version ${CLI_VERSION}`
}
