import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EngineError, isErrno } from '@ctr/errdefs'
import { parseForeignJson } from '@ctr/oci'

/** Beside the images: the mounts that were left out of them. */
const FILE = 'external-mounts.json'

export function saveMounts(imagesDir: string, mounts: readonly string[]): void {
  writeFileSync(join(imagesDir, FILE), JSON.stringify(mounts), { mode: 0o600 })
}

/** INVALID_ARGUMENT for images that are none of ours, or not complete. */
export function loadMounts(imagesDir: string): string[] {
  try {
    const value: unknown = parseForeignJson(readFileSync(join(imagesDir, FILE)))
    if (Array.isArray(value) && value.every(isMountPath)) return value
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENOTDIR') && !(error instanceof SyntaxError)) throw error
  }
  throw new EngineError('INVALID_ARGUMENT', `${imagesDir} has no checkpoint of ctr`)
}

/** It becomes a part of criu's arguments; images may come from anywhere. */
function isMountPath(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value.startsWith('/') &&
    !/[\0\]]/.test(value) &&
    !value.split('/').includes('..')
  )
}
