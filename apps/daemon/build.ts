/** `bun build.ts OUTPUT`: ctrd in a few files, which Node loads sooner than some 800. Not minified: people read stack traces. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, join, relative } from 'node:path'
import type { BuildArtifact, BuildConfig, BunPlugin } from 'bun'

const output = process.argv[2] ?? join(import.meta.dirname, 'dist')
const packages = join(import.meta.dirname, '../../packages')
/** Threads, which are started by the name of their file. */
const THREADS = [
  'images/src/worker/layer-thread.ts',
  'engine/src/filesystem/worker/filesystem-thread.ts',
]
/** Their libraries are found beside them. The package that uses each. */
const ADD_ONS = { koffi: 'linux', 'better-sqlite3': 'store' }

/**
 * An `import` of them reads every property, also those that are made when they are first asked for: undici (`WebSocket`), web
 * crypto, the root certificates. 50 ms.
 */
const LAZY_BUILT_INS = ['http', 'crypto', 'tls']

/** As which the daemon's script knows the place of what is built. Its other files are modules, which know it themselves. */
const PLACE_IN_SCRIPT = 'bundleUrl'
const script = await buildDaemon()
await build({
  entrypoints: [
    join(import.meta.dirname, 'src/bundle/main.ts'),
    ...THREADS.map((path) => join(packages, path)),
  ],
  outdir: output,
  format: 'esm',
  splitting: true,
  naming: { entry: '[name].mjs', chunk: '[hash].mjs' },
  define: { DAEMON_SCRIPT: JSON.stringify(script) },
  plugins: [builtBeside('import.meta.url')],
})

/** One script, of which V8 can keep the code when it has worked (src/bundle/code-cache.ts): of modules it cannot. Gives its name. */
async function buildDaemon(): Promise<string> {
  const [built] = await build({
    entrypoints: [join(import.meta.dirname, 'src/main.ts')],
    format: 'cjs',
    plugins: [builtBeside(PLACE_IN_SCRIPT)],
  })
  if (built === undefined) throw new Error('the build has made no script')
  const parameters = `exports, require, module, __filename, __dirname, ${PLACE_IN_SCRIPT}`
  const text = `(function (${parameters}) {${inAscii(await built.text())}\n})\n`
  const name = `ctrd-${createHash('sha256').update(text).digest('hex').slice(0, 16)}.cjs`
  mkdirSync(output, { recursive: true })
  writeFileSync(join(output, name), text)
  return name
}

async function build(config: Omit<BuildConfig, 'target'>): Promise<BuildArtifact[]> {
  const { success, logs, outputs } = await Bun.build({ ...config, target: 'node' })
  for (const log of logs) process.stderr.write(`${String(log)}\n`)
  if (!success) process.exit(1)
  return outputs
}

/** One byte for each character in V8's memory, not two. Names, strings and expressions may all be written so. */
function inAscii(text: string): string {
  return text.replace(
    /[^\0-\x7f]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** `place` is the URL of a built file in its own words. */
function builtBeside(place: string): BunPlugin {
  return {
    name: 'what stays where it is',
    setup(build) {
      for (const [name, user] of Object.entries(ADD_ONS)) {
        const { resolve } = createRequire(join(packages, user, 'package.json'))
        const path = relative(output, resolve(name))
        build.onResolve({ filter: new RegExp(`^${name}$`) }, () => ({ path, external: true }))
      }
      build.onResolve({ filter: new RegExp(`^(node:)?(${LAZY_BUILT_INS.join('|')})$`) }, (args) =>
        args.kind === 'import-statement'
          ? { path: args.path.replace('node:', ''), namespace: 'built-in' }
          : undefined,
      )
      build.onLoad({ filter: /.*/, namespace: 'built-in' }, ({ path }) => ({
        contents: builtIn(path),
        loader: 'js',
      }))
      build.onLoad({ filter: /\/(packages|apps)\/[^/]+\/src\/.*\.ts$/ }, ({ path }) => ({
        contents: located(readFileSync(path, 'utf8'), path, place),
        loader: 'ts',
      }))
    },
  }
}

/** All output is in one directory: threads are there, too; native programs and package.json are found from the source. */
function located(source: string, path: string, place: string): string {
  const threads = THREADS.map((thread) => basename(thread, '.ts')).join('|')
  const original = `new URL(${JSON.stringify(relative(output, path))}, ${place}).href`
  return withoutAwait(source, path)
    .split(new RegExp(`(new URL\\('\\./(?:${threads})\\.ts', import\\.meta\\.url\\))`))
    .map((part, index) =>
      index % 2 === 1
        ? part.replace('.ts', '.mjs').replace('import.meta.url', place)
        : part.replaceAll('import.meta.url', original),
    )
    .join('')
}

/** A script cannot wait for what its first lines import, and nothing has to come before. */
function withoutAwait(source: string, path: string): string {
  if (path !== join(import.meta.dirname, 'src/main.ts')) return source
  return source.replace(/^const (\{.*\}) = await import\(('.*')\)$/gm, 'import $1 from $2')
}

/** A module with what Node's has, but for the properties that are getters. */
function builtIn(name: string): string {
  const script = `Object.entries(Object.getOwnPropertyDescriptors(require('node:${name}'))).filter(([, d]) => 'value' in d).map(([key]) => key).join()`
  const node = join(import.meta.dirname, '../../node_modules/.bin/node')
  const names = execFileSync(node, ['-p', script], { encoding: 'utf8' }).trim()
  return `const builtIn = process.getBuiltinModule('node:${name}')
export default builtIn
export const { ${names} } = builtIn
`
}
