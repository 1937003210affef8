import { join } from 'node:path'
import { test } from 'node:test'
import { requires, run } from '@ctr/testkit'
import { checkResult, useDaemon } from '../daemon-fixture.ts'

/** docker-py, Debian's package python3-docker: the scenario is docker-py.py, beside this file. */
const python = await pythonWithDocker()
const skip =
  requires({ root: true }) ||
  (python === undefined && 'needs docker-py, which is not installed (Debian: python3-docker)')
const ctrd = useDaemon()

test('docker-py runs, follows, changes and removes containers', { skip }, async () => {
  const script = join(import.meta.dirname, 'docker-py.py')
  const env = ctrd().clientEnvironment
  const result = await run([python ?? '', script], { env, timeoutMs: 180_000 })
  checkResult({ code: 0, stdout: 'all done\n' }, result)
})

async function pythonWithDocker(): Promise<string | undefined> {
  for (const program of ['/usr/bin/python3', 'python3']) {
    const tried = await run([program, '-c', 'import docker']).catch(() => undefined)
    if (tried?.code === 0) return program
  }
  return undefined
}
