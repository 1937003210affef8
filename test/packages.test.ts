import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

// ARCHITECTURE.md, "Packages": arrows point one way.
const root = join(import.meta.dirname, '..')

/** What each may import; what they import themselves is lower, so there is no cycle. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  errdefs: [],
  template: ['errdefs'],
  api: ['errdefs'],
  oci: ['errdefs'],
  client: ['api', 'errdefs'],
  options: ['api', 'errdefs'],
  linux: ['oci', 'api', 'errdefs'],
  store: ['oci', 'api', 'errdefs'],
  shim: ['linux', 'oci', 'api', 'errdefs'],
  images: ['linux', 'store', 'oci', 'api', 'errdefs'],
  network: ['shim', 'linux', 'store', 'oci', 'api', 'errdefs'],
  engine: ['images', 'network', 'shim', 'linux', 'store', 'oci', 'api', 'errdefs', 'template'],
  build: ['engine', 'images', 'options', 'linux', 'oci', 'api', 'errdefs'],
  daemon: [
    'build',
    'engine',
    'options',
    'images',
    'network',
    'shim',
    'linux',
    'oci',
    'api',
    'errdefs',
    'template',
  ],
  cli: ['client', 'options', 'api', 'errdefs', 'template'],
  runtime: ['shim', 'linux', 'oci', 'errdefs'],
  testkit: [],
}

/** Libraries that one package alone knows. */
const OWNER: Readonly<Record<string, string>> = {
  koffi: 'linux',
  'better-sqlite3': 'store',
  fastify: 'daemon',
  '@fastify/websocket': 'daemon',
}

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
}

interface Package {
  readonly name: string
  readonly place: string
  readonly manifest: Manifest
  /** Of what ships, and of tests and programs that build. */
  readonly imports: { readonly source: ReadonlySet<string>; readonly beside: ReadonlySet<string> }
}

const packages = globSync(['packages/*/package.json', 'apps/*/package.json'], { cwd: root }).map(
  (path): Package => {
    const place = path.replace(/\/package\.json$/, '')
    const files = globSync(`${place}/**/*.ts`, {
      cwd: root,
      exclude: (name) => name.includes('node_modules'),
    })
    const isSource = (file: string): boolean =>
      file.startsWith(`${place}/src/`) && !/\.test\.ts$|-fixture\.ts$/.test(file)
    return {
      name: place.replace(/^.*\//, ''),
      place,
      manifest: JSON.parse(readFileSync(join(root, path), 'utf8')),
      imports: {
        source: importsOf(files.filter(isSource)),
        beside: importsOf(files.filter((file) => !isSource(file))),
      },
    }
  },
)

/** Names of packages, without what comes behind them (`koffi/indirect`, `@ctr/shim/criu`). */
function importsOf(files: readonly string[]): Set<string> {
  const texts = files.map((file) => readFileSync(join(root, file), 'utf8'))
  const found = texts.flatMap((text) => [
    ...text.matchAll(/(?:\bfrom|^import|\bimport\(|\brequire\()\s*'((?:@[^/']+\/)?[^./'][^/']*)/gm),
  ])
  return new Set(found.map(([, name = '']) => name))
}

function workspaceNames(names: Iterable<string>): string[] {
  return [...names]
    .filter((name) => name.startsWith('@ctr/'))
    .map((name) => name.slice('@ctr/'.length))
}

for (const { name, place, manifest, imports } of packages) {
  const own = Object.keys(manifest.dependencies ?? {})
  const forTests = Object.keys(manifest.devDependencies ?? {})

  test(`${name} imports what is below it`, () => {
    const allowed = new Set(MAY_IMPORT[name])
    assert.ok(MAY_IMPORT[name], `${name} is in no line of this table and of ARCHITECTURE.md`)
    const above = workspaceNames([...imports.source, ...own]).filter((other) => !allowed.has(other))
    assert.deepEqual(above, [])
  })

  test(`${name} declares what it imports, and nothing else`, () => {
    const isLibrary = (other: string): boolean => other.startsWith('@ctr/') || other in OWNER
    const missing = [...imports.source].filter((other) => isLibrary(other) && !own.includes(other))
    assert.deepEqual(missing, [], 'imported and not in dependencies')
    const used = new Set([...imports.source, ...imports.beside])
    const unused = workspaceNames([...own, ...forTests].filter((other) => !used.has(other)))
    assert.deepEqual(unused, [], 'in package.json and not imported')
  })

  test(`${name} refers to the TypeScript projects that it depends on`, () => {
    const { references = [] } = JSON.parse(readFileSync(join(root, place, 'tsconfig.json'), 'utf8'))
    const referred = (references as { path: string }[]).map(({ path }) => path.replace(/^.*\//, ''))
    assert.deepEqual(referred.sort(), workspaceNames([...own, ...forTests]).sort())
  })

  test(`${name} leaves libraries to the packages that own them`, () => {
    const foreign = [...imports.source].filter((other) => (OWNER[other] ?? name) !== name)
    assert.deepEqual(foreign, [])
  })
}

test('what package.json exports is there', () => {
  for (const { place, manifest } of packages) {
    const { exports = {} } = manifest as { exports?: Readonly<Record<string, string>> }
    for (const path of Object.values(exports)) assert.ok(existsSync(join(root, place, path)), path)
  }
})
