/**
 * All checks and tests, after set-up: types, format, lint, unit tests, then tests that need root and the kernel.
 * Ends with counts, the skipped tests with their reasons, and what is left on the host. `npm test -- PATTERN…` runs
 * only the test files whose path contains one of the patterns.
 */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { globSync } from 'node:fs'
import { relative } from 'node:path'
import type { EventData } from 'node:test'
import { run as runTests } from 'node:test'
import { inspect } from 'node:util'
import { hostDifference, hostResources, markedProcesses } from './host-state.ts'

const MINUTE_MS = 60_000
const patterns = process.argv.slice(2)
const root = new URL('..', import.meta.url).pathname.replace(/\/$/, '')
/** So much may be the machine's noise; more is the change that is being tested. */
const RERUN_LIMIT = 3

interface FileResult {
  passed: number
  failed: number
  readonly failures: string[]
  readonly skips: { readonly reason: string; readonly title: string }[]
}

/** By file, and by check. */
const results = new Map<string, FileResult>()
const unsteady: string[] = []

process.chdir(root)
// Every process of this run, daemons and shims included, can be known by this.
const mark = randomBytes(6).toString('hex')
process.env['CTR_TEST_RUN'] = mark
// A test talks to its own daemon only.
for (const name of ['CTR_HOST', 'DOCKER_HOST', 'DOCKER_CONTEXT']) delete process.env[name]

const before = await hostResources()
const startedMs = Date.now()

if (patterns.length === 0) {
  await check('types', ['tsc', '-b'])
  await check('format', ['biome', 'check'])
  await check('lint', ['oxlint', '--type-aware', '--quiet'])
}
await tests('unit tests', [
  'packages/*/src/**/*.test.ts',
  'apps/*/src/**/*.test.ts',
  'bench/*.test.ts',
  'scripts/*.test.ts',
])
await tests('tests with root', [
  'packages/*/test/**/*.test.ts',
  'apps/*/test/**/*.test.ts',
  'test/**/*.test.ts',
])
await runFailedAgain()
await checkHost()
report()

async function check(name: string, command: readonly string[]): Promise<void> {
  const [program = '', ...args] = command
  const started = Date.now()
  const { code, output } = await capture(`node_modules/.bin/${program}`, args)
  const seconds = ((Date.now() - started) / 1000).toFixed(1)
  if (code === 0) {
    resultOf(name).passed += 1
    console.log(`==> ${name}: ok (${seconds} s)`)
    return
  }
  fail(name, `${name}: ${command.join(' ')}`)
  console.log(`${output.split('\n').slice(-200).join('\n')}\n==> ${name}: FAILED (${seconds} s)`)
}

async function capture(
  file: string,
  args: readonly string[],
): Promise<{ code: number; output: string }> {
  return await new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    const chunks: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.on('error', reject)
    child.on('close', (code) =>
      resolve({ code: code ?? 1, output: Buffer.concat(chunks).toString() }),
    )
  })
}

async function tests(name: string, globs: readonly string[]): Promise<void> {
  const files = globs
    .flatMap((glob) => globSync(glob, { exclude: (path) => path.includes('node_modules') }))
    .filter((file) => patterns.length === 0 || patterns.some((pattern) => file.includes(pattern)))
    .sort()
  if (files.length === 0) return
  console.log(`==> ${name}: ${files.length} files`)
  // Two files at a time: what the smallest supported machine has processors for.
  await runFiles(files, 2)
}

/**
 * The machine may be shared, and stand still for seconds: the few files that failed run once more, one at a time. Who passes
 * then is named at the end with its first failure above, and is to be mended all the same.
 */
async function runFailedAgain(): Promise<void> {
  const failed = [...results].filter(([file, { failed }]) => failed > 0 && file.endsWith('.ts'))
  if (failed.length === 0 || failed.length > RERUN_LIMIT) return
  const files = failed.map(([file]) => file)
  console.log(`==> once more, one at a time: ${files.length} files`)
  for (const file of files) results.delete(file)
  await runFiles(files, 1)
  for (const [file, { failures }] of failed) {
    if (resultOf(file).failed === 0) unsteady.push(...failures)
  }
}

async function runFiles(files: readonly string[], concurrency: number): Promise<void> {
  const outputs = new Map<string, string[]>()
  const stream = runTests({
    files: files.map((file) => `${root}/${file}`),
    concurrency,
    timeout: 20 * MINUTE_MS,
  })
  for await (const event of stream) {
    switch (event.type) {
      case 'test:stdout':
      case 'test:stderr':
        remember(outputs, event.data.file, event.data.message)
        break
      case 'test:pass':
        rememberSkip(event.data)
        break
      case 'test:fail':
        // A suite or a file fails with its tests, which are reported themselves.
        if (failureType(event.data) !== 'subtestsFailed') reportFailure(event.data, outputs)
        break
      case 'test:summary':
        if (event.data.file !== undefined) reportFile(event.data, event.data.file, outputs)
        break
      default:
    }
  }
}

function reportFile(
  { counts, success, duration_ms: ms }: EventData.TestSummary,
  file: string,
  outputs: Map<string, string[]>,
): void {
  const path = relative(root, file)
  const result = resultOf(path)
  result.passed = counts.passed
  if (!success && result.failed === 0) fail(path, `${path}: ended without a result`)
  const { passed, failed, skips } = result
  if (failed > 0) console.log(endOf(outputs, file))
  const details = [
    `${passed} passed`,
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(skips.length > 0 ? [`${skips.length} skipped`] : []),
  ].join(', ')
  const seconds = (ms / 1000).toFixed(1)
  console.log(`    ${failed > 0 ? 'FAILED' : 'ok'} ${path}: ${details} (${seconds} s)`)
}

function resultOf(name: string): FileResult {
  const result = results.get(name) ?? { passed: 0, failed: 0, failures: [], skips: [] }
  results.set(name, result)
  return result
}

function fail(name: string, failure: string): void {
  const result = resultOf(name)
  result.failed += 1
  result.failures.push(failure)
}

function rememberSkip(data: EventData.TestPass): void {
  if (data.skip === undefined || data.skip === false) return
  const hasReason = typeof data.skip === 'string' && data.skip !== ''
  const reason = hasReason ? String(data.skip) : 'no reason given'
  resultOf(relative(root, data.file ?? '')).skips.push({ reason, title: title(data) })
}

function remember(outputs: Map<string, string[]>, file: string | undefined, message: string): void {
  if (file === undefined) return
  const lines = outputs.get(file) ?? []
  lines.push(message)
  outputs.set(file, lines)
}

function endOf(outputs: Map<string, string[]>, file: string): string {
  return outputs.get(file)?.join('').split('\n').slice(-60).join('\n') ?? ''
}

function reportFailure(data: EventData.TestFail, outputs: Map<string, string[]>): void {
  fail(relative(root, data.file ?? data.name), title(data))
  const cause: unknown = data.details.error.cause
  const text = cause instanceof Error ? (cause.stack ?? cause.message) : inspect(cause)
  console.log(`    FAILED ${title(data)}\n${text.replace(/^/gm, '        ')}`)
  // A file that fails as a whole has no summary: it could not be loaded, or began another program.
  if (data.name.startsWith('/')) console.log(endOf(outputs, data.name))
}

function failureType(data: EventData.TestFail): string | undefined {
  const error: unknown = data.details.error
  return typeof error === 'object' && error !== null && 'failureType' in error
    ? String(error.failureType)
    : undefined
}

function title(data: { readonly name: string; readonly file?: string | undefined }): string {
  const file = data.file === undefined ? '' : relative(root, data.file)
  return data.name.startsWith('/') ? relative(root, data.name) : `${file}: ${data.name}`
}

/** Nothing that this run made may stay. Traces of other engines on the machine are told apart by the mark, where possible. */
async function checkHost(): Promise<void> {
  const deadline = Date.now() + 20_000
  let processes: string[] = []
  let resources: string[] = []
  do {
    processes = markedProcesses(mark)
    resources = hostDifference(before, await hostResources())
  } while (processes.length + resources.length > 0 && Date.now() < deadline && (await pause()))
  const own = [...processes, ...(resources.length > 0 && !othersAtWork() ? resources : [])]
  if (own.length > 0) {
    fail('host', 'the host after the tests')
    // What bears the mark of this run is this run's: it must not disturb the next one.
    for (const line of processes) killIfThere(Number(line.split(' ')[1]))
    console.log(`==> left on the host: FAILED\n    ${own.join('\n    ')}`)
  } else if (resources.length > 0) {
    console.log(
      `==> new on the host since the start, but other engines are at work here:\n    ${resources.join('\n    ')}`,
    )
  } else {
    resultOf('host').passed += 1
    console.log('==> the host is as it was before: ok')
  }
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // it has gone meanwhile
  }
}

/** Is there a container engine on this machine that this run did not start? */
function othersAtWork(): boolean {
  return markedProcesses(undefined).length > 0
}

async function pause(): Promise<true> {
  return await new Promise((resolve) => setTimeout(() => resolve(true), 200))
}

function report(): void {
  const all = [...results.values()]
  const skips = Map.groupBy(
    all.flatMap((result) => result.skips),
    ({ reason }) => reason,
  )
  for (const [reason, skipped] of skips) {
    console.log(`==> skipped (${skipped.length}): ${reason}`)
    for (const each of skipped) console.log(`      ${each.title}`)
  }
  const failures = all.flatMap((result) => result.failures)
  if (failures.length > 0) console.log(`==> failed:\n      ${failures.join('\n      ')}`)
  if (unsteady.length > 0) {
    console.log(`==> unsteady, passed only when run again:\n      ${unsteady.join('\n      ')}`)
  }
  const sum = (of: (result: FileResult) => number): number =>
    all.reduce((total, result) => total + of(result), 0)
  const failed = sum((result) => result.failed)
  const seconds = Math.round((Date.now() - startedMs) / 1000)
  console.log(
    `==> ${sum(({ passed }) => passed)} passed, ${failed} failed, ${sum((result) => result.skips.length)} skipped in ${Math.floor(seconds / 60)} min ${seconds % 60} s`,
  )
  process.exitCode = failed > 0 ? 1 : 0
}
