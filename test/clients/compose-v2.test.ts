import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { requires, run } from '@ctr/testkit'
import { useDaemon } from '../daemon-fixture.ts'
import { composeScenario } from './compose-scenario.ts'

/** Compose 2 out of Debian 13's package, unpacked into .build: installing it would take docker-compose 1.29 away. */
const directory = join(dirname(fileURLToPath(import.meta.url)), '../../.build/compose-v2')
const program = join(directory, 'root/usr/libexec/docker/cli-plugins/docker-compose')
const skip = requires({ root: true, commands: ['apt-get', 'dpkg-deb'] }) || (await unpacked())
const ctrd = useDaemon()

test('docker-compose 2 brings up, scales, enters and takes down a project', { skip }, async () => {
  await composeScenario(ctrd(), [program], '-')
})

async function unpacked(): Promise<string | false> {
  if (existsSync(program)) return false
  for (const name of ['lists/partial', 'cache/archives/partial', 'etc']) {
    mkdirSync(join(directory, name), { recursive: true })
  }
  const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg'
  const mirror = debianMirror()
  if (mirror === undefined) return 'needs a Debian mirror in the sources of apt'
  writeFileSync(
    join(directory, 'sources.list'),
    `deb [signed-by=${keyring}] ${mirror} trixie main\n`,
  )
  const options = [
    `Dir::Etc::sourcelist=${directory}/sources.list`,
    `Dir::Etc::sourceparts=${directory}/etc`,
    `Dir::State::lists=${directory}/lists`,
    `Dir::Cache=${directory}/cache`,
    'Acquire::Languages=none',
    'Acquire::http::Timeout=20',
    'APT::Sandbox::User=root',
  ]
  const apt = ['apt-get', ...options.flatMap((option) => ['-o', option])]
  const script =
    'dpkg-deb -x docker-compose_*.deb root.new && mv root.new root && rm -rf lists cache *.deb'
  for (const command of [
    [...apt, 'update'],
    [...apt, 'download', 'docker-compose'],
    ['sh', '-c', script],
  ]) {
    const failure = await run(command, { cwd: directory, timeoutMs: 120_000 }).then(
      ({ code, stderr }) => (code === 0 ? undefined : stderr),
      (error: unknown) => String(error),
    )
    if (failure === undefined) continue
    return `needs docker-compose 2 of Debian 13, which cannot be fetched: ${failure.trim().split('\n')[0]}`
  }
  return false
}

/** The mirror that this machine's own sources name. sources.list(5) */
function debianMirror(): string | undefined {
  const folder = '/etc/apt/sources.list.d'
  const more = existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : []
  for (const path of ['/etc/apt/sources.list', ...more]) {
    if (!existsSync(path)) continue
    const text = readFileSync(path, 'utf8')
    const found = /^(?:URIs:|deb (?:\[[^\]]*\] )?)\s*(\S+\/debian\/?)\s/m.exec(text)
    if (found !== null) return found[1]
  }
  return undefined
}
