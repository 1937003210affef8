import { execFile } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Engine } from '@ctr/engine'
import { EngineError, invalid, isErrno } from '@ctr/errdefs'
import { type Aside, encodeHeader, fromText, paddingOf, TAR_END } from '@ctr/images'
import { isHttpUrl } from '@ctr/options'
import { bodyOf, openUrl } from './remote-source.ts'
import { Tree } from './tree.ts'

/** Files from elsewhere: an archive or a Dockerfile by http(s), or a repository of git. */
export async function fetchContext(
  engine: Pick<Engine, 'images'>,
  remote: string,
  dockerfile: string,
  signal: AbortSignal,
): Promise<{ readonly aside: Aside; readonly tree: Tree }> {
  const git = parseGitUrl(remote)
  if (git !== undefined) return await fetchGit(engine, git, signal)
  const url = isHttpUrl(remote) ? URL.parse(remote) : null
  if (url === null) throw invalid(`remoteURL (${remote}) could not be recognized as URL`)
  const response = await openUrl(url, signal).catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause)
    const text = `error downloading remote context ${remote}: ${reason}`
    throw new EngineError('UPSTREAM', text, { cause })
  })
  const isText = response.headers.get('content-type')?.startsWith('text/plain') === true
  const body = bodyOf(response) as AsyncIterable<Buffer>
  const tar = isText ? oneText(dockerfile, body) : body
  const aside = await engine.images.unpackAside(tar, 'build')
  return { aside, tree: new Tree([aside.directory]) }
}

interface GitUrl {
  readonly url: string
  readonly reference: string
  readonly directory: string
}

/** `https://….git#branch:directory`, `git://…`, `git@host:…`, `github.com/…`. Undefined: it is none. */
export function parseGitUrl(text: string): GitUrl | undefined {
  const [address = '', fragment = ''] = text.split('#', 2)
  const isHttpGit = isHttpUrl(address) && address.endsWith('.git')
  const isPlain = /^(?:git:\/\/|ssh:\/\/|git@|github\.com\/)/.test(address)
  if (!isHttpGit && !isPlain) return undefined
  const [reference = '', directory = ''] = fragment.split(':', 2)
  const url = address.startsWith('github.com/') ? `https://${address}` : address
  return { url, reference: reference === '' ? 'HEAD' : reference, directory }
}

async function fetchGit(
  engine: Pick<Engine, 'images'>,
  { url, reference, directory }: GitUrl,
  signal: AbortSignal,
): Promise<{ readonly aside: Aside; readonly tree: Tree }> {
  if (reference.startsWith('-') || url.startsWith('-')) {
    throw invalid(`invalid refspec: ${reference}`)
  }
  await using stack = new AsyncDisposableStack()
  const aside = stack.use(await engine.images.unpackAside(nothing(), 'build'))
  const git = (...args: string[]): Promise<void> => runGit(aside.directory, args, signal)
  await git('init', '--quiet')
  await git('fetch', '--quiet', '--depth=1', '--no-tags', '--', url, reference)
  await git('checkout', '--quiet', '--force', 'FETCH_HEAD')
  await rm(join(aside.directory, '.git'), { recursive: true, force: true })
  const whole = new Tree([aside.directory])
  const found = whole.find(fromText(directory), { follow: true })
  if (found === undefined || !found.stats.isDirectory()) {
    throw invalid(`error setting git context, not a directory: ${directory}`)
  }
  stack.move()
  const root = Buffer.from(found.host).toString()
  return { aside, tree: new Tree([found.path === '' ? aside.directory : root]) }
}

/** No protocol that runs programs, no questions, and none of the host's configuration. */
async function runGit(cwd: string, args: readonly string[], signal: AbortSignal): Promise<void> {
  const { PATH = '', HOME = '/root' } = process.env
  const env = {
    PATH,
    HOME,
    GIT_ALLOW_PROTOCOL: 'https:http:git:ssh',
    GIT_TERMINAL_PROMPT: '0',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_SSH_COMMAND: 'ssh -oBatchMode=yes',
  }
  try {
    await promisify(execFile)('git', [...args], { cwd, env, signal })
  } catch (cause) {
    if (signal.aborted) throw cause
    if (isErrno(cause, 'ENOENT')) {
      const text = 'a context of git needs the program git on the host of the daemon'
      throw new EngineError('NOT_IMPLEMENTED', text, { cause })
    }
    const reason = cause instanceof Error ? cause.message.trim() : String(cause)
    throw new EngineError('UPSTREAM', `error fetching: ${reason}`, { cause })
  }
}

async function* nothing(): AsyncGenerator<Buffer> {
  yield TAR_END
}

async function* oneText(path: string, body: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size > MAX_TEXT_BYTES)
      throw invalid(`the Dockerfile is larger than ${MAX_TEXT_BYTES} bytes`)
    chunks.push(chunk)
  }
  yield encodeHeader({ path: fromText(path), type: 'file', mode: 0o600, size })
  yield* chunks
  yield Buffer.alloc(paddingOf(size))
  yield TAR_END
}

const MAX_TEXT_BYTES = 16 << 20
