/** `bun build.ts OUTPUT`: ctrd in a few files, which Node loads sooner than some 800. Not minified: people read stack traces. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, join, relative } from 'node:path'

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

const result = await Bun.build({
  entrypoints: [
    join(import.meta.dirname, 'src/main.ts'),
    ...THREADS.map((path) => join(packages, path)),
  ],
  outdir: output,
  target: 'node',
  format: 'esm',
  splitting: true,
  naming: { entry: '[name].mjs', chunk: '[hash].mjs' },
  plugins: [
    {
      name: 'what stays where it is',
      setup(build) {
        for (const [name, user] of Object.entries(ADD_ONS)) {
          const { resolve } = createRequire(join(packages, user, 'package.json'))
          const path = relative(output, resolve(name))
          build.onResolve({ filter: new RegExp(`^${name}$`) }, () => ({ path, external: true }))
        }
        build.onResolve(
          { filter: new RegExp(`^(node:)?(${LAZY_BUILT_INS.join('|')})$`) },
          (args) =>
            args.kind === 'import-statement'
              ? { path: args.path.replace('node:', ''), namespace: 'built-in' }
              : undefined,
        )
        build.onLoad({ filter: /.*/, namespace: 'built-in' }, ({ path }) => ({
          contents: builtIn(path),
          loader: 'js',
        }))
        build.onLoad({ filter: /\/(packages|apps)\/[^/]+\/src\/.*\.ts$/ }, ({ path }) => ({
          contents: located(readFileSync(path, 'utf8'), path),
          loader: 'ts',
        }))
      },
    },
  ],
})
for (const log of result.logs) process.stderr.write(`${String(log)}\n`)
process.exit(result.success ? 0 : 1)

/** All output is in one directory: threads are there, too; native programs and package.json are found from the source. */
function located(source: string, path: string): string {
  const threads = THREADS.map((thread) => basename(thread, '.ts')).join('|')
  const place = `new URL(${JSON.stringify(relative(output, path))}, import.meta.url).href`
  return source
    .split(new RegExp(`(new URL\\('\\./(?:${threads})\\.ts', import\\.meta\\.url\\))`))
    .map((part, index) =>
      index % 2 === 1 ? part.replace('.ts', '.mjs') : part.replaceAll('import.meta.url', place),
    )
    .join('')
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
