import { readFileSync, realpathSync, statSync } from 'node:fs'
import { posix, relative, resolve } from 'node:path'
import { fileError, type Ignores, parseDockerignore } from '@ctr/options'
import { packPath } from './tar.ts'

/** What is sent, and where in it the Dockerfile is. */
export interface Context {
  readonly tar: AsyncIterable<Uint8Array>
  readonly dockerfile: string
}

/** Of a directory, less what its .dockerignore names. `dockerfile` may be outside of it, or `text` be it. */
export function packContext(
  directory: string,
  dockerfile: string,
  text: string | undefined,
): Context {
  const root = realDirectory(directory)
  const place = text === undefined ? placeOf(root, directory, dockerfile) : undefined
  const outside = place === undefined ? (text ?? readText(dockerfile)) : undefined
  const name = place ?? `.dockerfile.${process.pid.toString(36)}${Date.now().toString(36)}`
  const ignores = readIgnores(root, place)
  const tar = packPath(root, {
    name: '.',
    followLink: true,
    counter: { bytes: 0 },
    ...(ignores === undefined ? {} : { leavesOut: leavesOut(ignores, name) }),
    extra: outside === undefined ? [] : [{ name, content: outside }],
  })
  return { tar, dockerfile: name }
}

/** A context of nothing but a Dockerfile. */
export function packDockerfile(text: string): Context {
  const tar = packPath('/', {
    name: '.',
    followLink: true,
    leavesOut: () => 'all',
    counter: { bytes: 0 },
    extra: [{ name: 'Dockerfile', content: text }],
  })
  return { tar, dockerfile: 'Dockerfile' }
}

function realDirectory(path: string): string {
  try {
    if (!statSync(path).isDirectory()) throw new Error(`context must be a directory: ${path}`)
    return realpathSync(path)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      throw new Error(`unable to prepare context: path ${JSON.stringify(path)} not found`, {
        cause: error,
      })
    }
    throw error
  }
}

/** In the context; undefined: it is not there. */
function placeOf(root: string, directory: string, dockerfile: string): string | undefined {
  const path = dockerfile === '' ? resolve(directory, 'Dockerfile') : resolve(dockerfile)
  const found = realFile(path) ?? realFile(resolve(directory, dockerfile))
  if (found === undefined) {
    throw new Error(
      `unable to prepare context: unable to evaluate symlinks in Dockerfile path: lstat ${path}: no such file or directory`,
    )
  }
  const place = relative(root, found)
  return place === '..' || place.startsWith('../') ? undefined : place
}

function realFile(path: string): string | undefined {
  try {
    return realpathSync(path)
  } catch {
    return undefined
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw fileError('open', path, error)
  }
}

/** A Dockerfile can have one of its own: `NAME.dockerignore` beside it. */
function readIgnores(root: string, dockerfile: string | undefined): Ignores | undefined {
  const own = dockerfile === undefined ? [] : [`${dockerfile}.dockerignore`]
  for (const name of [...own, '.dockerignore']) {
    try {
      return parseDockerignore(readFileSync(posix.join(root, name), 'utf8'))
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
    }
  }
  return undefined
}

/** The daemon needs the Dockerfile and .dockerignore in any case; it keeps them out of what is copied. */
function leavesOut(
  ignores: Ignores,
  dockerfile: string,
): (path: string, isDirectory: boolean) => 'no' | 'itself' | 'all' {
  return (path, isDirectory) => {
    if (path === '.dockerignore' || path === dockerfile || !ignores.ignores(path)) return 'no'
    if (!isDirectory) return 'itself'
    const isNeeded = ignores.hasExceptions || dockerfile.startsWith(`${path}/`)
    return isNeeded ? 'itself' : 'all'
  }
}
