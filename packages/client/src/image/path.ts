import { EngineError } from '@ctr/errdefs'

/** Slashes of a repository stay slashes, as in the docker CLI. */
export function imagePath(ref: string): string {
  if (ref === '')
    throw new EngineError('INVALID_ARGUMENT', 'invalid image name or ID: value is empty')
  return `/images/${ref.split('/').map(encodeURIComponent).join('/')}`
}
