import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { RuntimeHook, RuntimeHooks } from '@ctr/oci'
import { message, SUITE_MS, TestBundle, until } from './bundle.ts'

const KINDS = [
  'prestart',
  'createRuntime',
  'createContainer',
  'startContainer',
  'poststart',
  'poststop',
] as const

/** Requires root. */
describe('hooks', { timeout: SUITE_MS }, () => {
  let bundle: TestBundle
  before(() => {
    bundle = new TestBundle()
    // The same path on both sides.
    mkdirSync(join(bundle.dir, `rootfs${bundle.dir}`), { recursive: true })
  })
  after(() => bundle[Symbol.dispose]())

  const shell = (script: string, more: object = {}): RuntimeHook => ({
    path: '/bin/sh',
    args: ['sh', '-c', script],
    env: ['PATH=/bin:/usr/bin'],
    ...more,
  })

  it('run in order, in their namespaces, with the state on stdin', async () => {
    const log = join(bundle.dir, 'log')
    const hooks = Object.fromEntries(
      KINDS.map((kind) => [kind, [shell(`cat >>${log}; echo " ${kind}" >>${log}`)]]),
    ) as RuntimeHooks
    bundle.configure({ hooks, annotations: { a: 'b' } }, { args: ['true'] })
    const id = bundle.id('order')
    await bundle.run('run', id)
    const lines = (path: string): { status: string; pid?: number; kind: string }[] =>
      readFileSync(path, 'utf8')
        .trim()
        .split('\n')
        .map((line) => {
          const at = line.lastIndexOf(' ')
          const state = JSON.parse(line.slice(0, at)) as {
            status: string
            id: string
            bundle: string
          }
          assert.equal(state.id, id)
          assert.equal(state.bundle, bundle.dir)
          return { ...state, kind: line.slice(at + 1) }
        })
    assert.deepEqual(
      lines(log).map(({ kind, status }) => `${kind} ${status}`),
      [
        'prestart creating',
        'createRuntime creating',
        'createContainer creating',
        'poststart running',
        'poststop stopped',
      ],
    )
    assert.deepEqual(
      lines(join(bundle.dir, 'rootfs', log)).map(({ kind, status }) => `${kind} ${status}`),
      ['startContainer created'],
    )
  })

  it('createRuntime sees the namespaces of the container, createContainer is in them', async () => {
    const out = join(bundle.dir, 'ns')
    bundle.configure(
      {
        hooks: {
          createRuntime: [
            shell(
              `p=$(sed 's/.*"pid":\\([0-9]*\\).*/\\1/'); readlink /proc/$p/ns/mnt >${out}.1; readlink /proc/self/ns/mnt >${out}.host`,
            ),
          ],
          createContainer: [shell(`readlink /proc/self/ns/mnt >${out}.2; hostname >${out}.3`)],
        },
      },
      { args: ['true'] },
    )
    assert.equal((await bundle.run('run', bundle.id('ns'))).code, 0)
    const read = (name: string): string => readFileSync(`${out}.${name}`, 'utf8')
    assert.equal(read('1'), read('2'))
    assert.notEqual(read('1'), read('host'))
  })

  it('a failing hook before start ends the create, and nothing is left', async () => {
    for (const kind of ['prestart', 'createRuntime', 'createContainer'] as const) {
      bundle.configure({ hooks: { [kind]: [shell('echo oops >&2; exit 3')] } })
      const result = await bundle.run('create', bundle.id('fail'))
      assert.equal(result.code, 1)
      assert.match(
        message(result),
        /^runc create failed: unable to start container process: error during container init: error running \w+ hook #0: error running hook: exit status 3, .*oops\n$/s,
      )
      assert.deepEqual(bundle.containers(), [])
      assert.deepEqual(bundle.cgroups(), [])
    }
  })

  it('a failing startContainer or poststart hook ends the container', async () => {
    for (const kind of ['startContainer', 'poststart'] as const) {
      bundle.configure({ hooks: { [kind]: [shell('exit 3')] } })
      const id = bundle.id(kind)
      assert.equal((await bundle.run('create', id)).code, 0)
      const result = await bundle.run('start', id)
      assert.equal(result.code, 1)
      assert.match(
        message(result),
        new RegExp(`error running ${kind} hook #0: error running hook: exit status 3`),
      )
      assert.deepEqual(bundle.containers(), [])
    }
  })

  it('a failing poststop hook is a warning, and the next one runs', async () => {
    const ran = join(bundle.dir, 'ran')
    bundle.configure(
      { hooks: { poststop: [shell('exit 3'), shell(`echo yes >${ran}`)] } },
      { args: ['true'] },
    )
    const result = await bundle.run('run', bundle.id('stop'))
    assert.equal(result.code, 0)
    assert.match(result.stderr, /level=warning msg="error running poststop hook #0/)
    assert.ok(existsSync(ran))
  })

  it('startContainer hooks have the environment and the filter of the process, and their own name', async () => {
    bundle.configure(
      {
        hooks: {
          startContainer: [
            { path: '/bin/busybox', args: ['sh', '-c', 'echo "$0 $FOO $HOME" >/hooked', 'argv'] },
          ],
        },
      },
      { args: ['true'], env: ['FOO=bar', 'PATH=/bin'] },
    )
    assert.equal((await bundle.run('run', bundle.id('env'))).code, 0)
    assert.equal(readFileSync(join(bundle.dir, 'rootfs/hooked'), 'utf8'), 'argv bar /root\n')
    const { linux } = JSON.parse(readFileSync(join(bundle.dir, 'config.json'), 'utf8')) as {
      linux: object
    }
    const seccomp = {
      defaultAction: 'SCMP_ACT_ALLOW' as const,
      syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_KILL' as const }],
    }
    bundle.configure(
      { linux: { ...linux, seccomp }, hooks: { startContainer: [shell('mkdir /tmp/x')] } },
      { args: ['true'], rlimits: [{ type: 'RLIMIT_CORE', soft: 0, hard: 0 }] },
    )
    assert.match(message(await bundle.run('run', bundle.id('kill'))), /signal: bad system call/)
  })

  it('createContainer hooks begin in the root filesystem', async () => {
    bundle.configure(
      { hooks: { createContainer: [shell('echo here >./from-hook')] } },
      { args: ['cat', '/from-hook'] },
    )
    assert.equal((await bundle.run('run', bundle.id('cwd'))).stdout, 'here\n')
  })

  it('a hook past its timeout is killed', async () => {
    for (const kind of ['createRuntime', 'createContainer'] as const) {
      bundle.configure({
        hooks: { [kind]: [{ path: '/bin/sleep', args: ['sleep', '60'], timeout: 1 }] },
      })
      const result = await bundle.run('create', bundle.id('late'))
      assert.match(message(result), /hook ran past specified timeout of 1\.0s$/)
      await until(() => bundle.cgroups().length === 0, 'nothing is left')
    }
  })

  it('a hook that does not exist is named', async () => {
    for (const kind of ['createRuntime', 'createContainer'] as const) {
      bundle.configure({ hooks: { [kind]: [{ path: '/bin/nosuch' }] } })
      const result = await bundle.run('create', bundle.id('none'))
      assert.match(message(result), /fork\/exec \/bin\/nosuch: no such file or directory$/)
    }
  })
})
