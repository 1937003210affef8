import { test } from 'node:test'
import { requires, run } from '@ctr/testkit'
import { useDaemon } from '../daemon-fixture.ts'
import { composeScenario } from './compose-scenario.ts'

/** The last of the Python series, Debian 12's package docker-compose. */
const skip = requires({ root: true, commands: ['docker-compose'] }) || (await notVersion1())
const ctrd = useDaemon()

test('docker-compose 1.29 brings up, scales, enters and takes down a project', {
  skip,
}, async () => {
  await composeScenario(ctrd(), ['docker-compose'], '_')
})

async function notVersion1(): Promise<string | false> {
  const { stdout } = await run(['docker-compose', '--version'])
  return /version v?1\./.test(stdout) ? false : `needs docker-compose 1, found ${stdout.trim()}`
}
