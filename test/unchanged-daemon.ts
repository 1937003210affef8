import assert from 'node:assert/strict'
import { afterEach } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { TestDaemon } from '@ctr/testkit'
import { waitFor } from '@ctr/testkit'
import { removeContainers, useDaemon } from './daemon-fixture.ts'
import { namesIn, storeFiles } from './store-files.ts'

/** A daemon that is alive and as it was before after each test, whatever came in. */
export function useUnchangedDaemon(): () => TestDaemon {
  let clean = ''
  const ctrd = useDaemon({ bridge: false }, async (daemon) => {
    clean = await settledState(daemon)
  })
  afterEach(async () => {
    assert.equal((await ctrd().request('GET', '/_ping')).text, 'OK')
    try {
      // Directories of what is removed go a little after the answer.
      await waitFor('the state of before', async () => (await state(ctrd())) === clean)
    } catch {
      const now = await state(ctrd())
      await removeContainers(ctrd())
      const images = await ctrd().ok(['images', '-aq', '--no-trunc'])
      for (const id of images.split('\n')) await ctrd().ctr(['rmi', '-f', id])
      await ctrd().restart()
      clean = await settledState(ctrd())
      assert.fail(`something has changed:\n${now}`)
    }
  })
  return ctrd
}

/** After the start of a daemon, which makes the default image while it already answers. */
async function settledState(ctrd: TestDaemon): Promise<string> {
  return await waitFor('a state that stays', async () => {
    const before = await state(ctrd)
    await delay(300)
    return before.includes(' busybox:latest') && before === (await state(ctrd)) ? before : undefined
  })
}

/** What must be as before: containers, images, volumes, and the content store down to its files. */
async function state(ctrd: TestDaemon): Promise<string> {
  const containers = await ctrd.request('GET', '/containers/json?all=1')
  const images = await ctrd.request('GET', '/images/json?all=1')
  const names = (images.json() as { RepoTags: string[]; Id: string }[]).map(
    ({ RepoTags, Id }) => `${Id} ${RepoTags.join(' ')}`,
  )
  const files = [...storeFiles(ctrd.dataRoot), ...namesIn(ctrd.dataRoot, 'containers', 'volumes')]
  return [containers.text, ...names, ...files].sort().join('\n')
}
