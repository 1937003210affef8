/** `bun build.ts OUTPUT`: ctr-runtime as one executable, byte code beside the source. */
import { createRequire } from 'node:module'
import { dirname, join, relative, resolve } from 'node:path'

const output = process.argv[2] ?? join(import.meta.dirname, '../../bin/ctr-runtime')
const linux = createRequire(join(import.meta.dirname, '../../packages/linux/package.json'))
const koffi = createRequire(linux.resolve('koffi'))
const addOn = join(
  dirname(koffi.resolve(`@koromix/koffi-linux-${process.arch}`)),
  `linux_${process.arch}`,
  'koffi.node',
)

const result = await Bun.build({
  entrypoints: [join(import.meta.dirname, 'src/main.ts')],
  // Nothing in the current directory, which may be a bundle of somebody else, has a say.
  compile: {
    outfile: output,
    autoloadDotenv: false,
    autoloadBunfig: false,
    autoloadTsconfig: false,
    autoloadPackageJson: false,
  },
  minify: true,
  bytecode: true,
  format: 'esm',
  splitting: true,
  define: { KOFFI_PATH: JSON.stringify(relative(dirname(resolve(output)), addOn)) },
  plugins: [
    {
      name: 'koffi on first use',
      setup(build) {
        build.onResolve({ filter: /^koffi$/ }, () => ({
          path: join(import.meta.dirname, 'src/lazy-koffi.ts'),
        }))
      },
    },
  ],
})
for (const log of result.logs) process.stderr.write(`${String(log)}\n`)
process.exit(result.success ? 0 : 1)
