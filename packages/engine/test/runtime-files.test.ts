// needs: root, busybox-static, the native shim
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import { getContainer, removeContainer, startContainer, waitContainer } from '@ctr/engine'
import { NEVER, TestEngine } from './support.ts'

const SHOW = ['cat', '/etc/hostname']

describe('hosts, hostname and resolv.conf', { timeout: 300_000 }, () => {
  test('are there from the start of a container to its removal', async () => {
    await using t = await TestEngine.open()
    const { id, stdout } = await t.run(SHOW)
    const { hostnamePath, hostsPath, resolvConfPath } = getContainer(t.engine, id)
    assert.equal(readFileSync(hostnamePath, 'utf8'), stdout)
    assert.match(hostsPath, new RegExp(`^${t.config.execRoot}/.*${id}/hosts$`))
    assert.ok(existsSync(resolvConfPath))
    await t.reopen()
    assert.equal(getContainer(t.engine, id).hostnamePath, hostnamePath)
    await removeContainer(t.engine, id, { force: false, volumes: false })
    await t.engine.background.idle()
    assert.ok(!existsSync(dirname(hostsPath)))
  })

  test('are made again when somebody has cleared the exec root, as a reboot does', async () => {
    await using t = await TestEngine.open()
    const { id, stdout } = await t.run(SHOW)
    const { hostsPath } = getContainer(t.engine, id)
    rmSync(dirname(dirname(hostsPath)), { recursive: true })
    await startContainer(t.engine, id)
    const { exitCode } = await waitContainer(t.engine, id, 'not-running', NEVER)
    assert.equal(exitCode, 0)
    assert.equal(readFileSync(getContainer(t.engine, id).hostnamePath, 'utf8'), stdout)
  })

  test('of an older engine stay where they are', async () => {
    await using t = await TestEngine.open()
    const { id } = await t.run(SHOW)
    const now = dirname(getContainer(t.engine, id).hostsPath)
    const then = join(t.config.dataRoot, 'containers', id)
    for (const name of ['hosts', 'hostname', 'resolv.conf']) {
      renameSync(join(now, name), join(then, name))
    }
    await t.reopen()
    assert.equal(getContainer(t.engine, id).hostsPath, join(then, 'hosts'))
    await startContainer(t.engine, id)
    const { exitCode } = await waitContainer(t.engine, id, 'not-running', NEVER)
    assert.equal(exitCode, 0)
  })

  test('without a container are removed when the engine starts', async () => {
    await using t = await TestEngine.open()
    const stray = join(t.config.execRoot, 'containers', 'f'.repeat(64))
    mkdirSync(stray, { recursive: true })
    await t.reopen()
    await t.engine.background.idle()
    assert.ok(!existsSync(stray))
  })
})
