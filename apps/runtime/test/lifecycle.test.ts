import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { message, SUITE_MS, TestBundle, until } from './bundle.ts'

/** Requires root. The texts are runc's. */
describe('life cycle', { timeout: SUITE_MS }, () => {
  let bundle: TestBundle
  before(() => {
    bundle = new TestBundle()
  })
  beforeEach(() => bundle.configure({}))
  after(() => bundle[Symbol.dispose]())

  it('goes from created over running to stopped', async () => {
    const id = bundle.id('life')
    const pidFile = join(bundle.dir, 'pid')
    assert.equal((await bundle.run('create', '--pid-file', pidFile, id)).code, 0)
    const created = await bundle.state(id)
    assert.equal(created.status, 'created')
    assert.equal(String(created.pid), readFileSync(pidFile, 'utf8'))
    assert.match(readFileSync(`/proc/${created.pid}/comm`, 'utf8'), /ctr-shim/)

    assert.equal((await bundle.run('start', id)).code, 0)
    assert.equal((await bundle.state(id)).status, 'running')
    await until(
      () => readFileSync(`/proc/${created.pid}/comm`, 'utf8') === 'sleep\n',
      'the program runs',
    )

    assert.equal((await bundle.run('kill', id, 'KILL')).code, 0)
    await until(async () => (await bundle.state(id)).status === 'stopped', 'stopped')
    assert.equal((await bundle.run('delete', id)).code, 0)
    assert.equal(message(await bundle.run('state', id)), 'container does not exist')
    assert.deepEqual(bundle.containers(), [])
    assert.deepEqual(bundle.cgroups(), [])
  })

  it('tells its namespaces and cgroups with --verbose', async () => {
    const id = bundle.id('paths')
    await bundle.run('create', id)
    interface Verbose {
      readonly pid: number
      readonly init_process_start: string
      readonly namespace_paths: Readonly<Record<string, string>>
      readonly cgroup_paths: Readonly<Record<string, string>>
      readonly config: { readonly hostname: string }
    }
    const verbose = async (): Promise<Verbose> =>
      JSON.parse((await bundle.run('state', '--verbose', id)).stdout) as Verbose
    const state = await verbose()
    const stat = readFileSync(`/proc/${state.pid}/stat`, 'utf8')
    assert.equal(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19], state.init_process_start)
    assert.deepEqual(
      Object.keys(state.namespace_paths).sort(),
      'NEWCGROUP NEWIPC NEWNET NEWNS NEWPID NEWTIME NEWUSER NEWUTS'.split(' '),
    )
    for (const path of Object.values(state.namespace_paths)) assert.ok(existsSync(path), path)
    assert.notEqual(
      readlinkSync(state.namespace_paths['NEWNET'] ?? ''),
      readlinkSync('/proc/self/ns/net'),
    )
    assert.notDeepEqual(state.cgroup_paths, {})
    for (const path of Object.values(state.cgroup_paths)) {
      assert.match(readFileSync(`${path}/cgroup.procs`, 'utf8'), new RegExp(`^${state.pid}$`, 'm'))
    }
    assert.equal(state.config.hostname, 'runc')
    await bundle.run('kill', id, 'KILL')
    await until(async () => (await bundle.state(id)).status === 'stopped', 'stopped')
    assert.deepEqual((await verbose()).namespace_paths, {})
    await bundle.run('delete', id)
  })

  it('needs no process of ours once the container is created', async () => {
    const id = bundle.id('alone')
    await bundle.run('create', id)
    const { pid } = await bundle.state(id)
    const parent = Number(/^PPid:\t(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
    assert.doesNotMatch(readFileSync(`/proc/${parent}/comm`, 'utf8'), /ctr/)
    await bundle.run('delete', '--force', id)
  })

  it('refuses what the state does not allow', async () => {
    const id = bundle.id('rules')
    await bundle.run('create', id)
    assert.equal(
      message(await bundle.run('create', id)),
      'runc create failed: container with given ID already exists',
    )
    await bundle.run('start', id)
    const cases: [string[], string][] = [
      [['start', id], 'cannot start an already running container'],
      [['delete', id], `cannot delete container ${id} that is not stopped: running`],
      [['resume', id], 'container not paused'],
      [['kill', id, 'USR3'], 'unknown signal "USR3"'],
    ]
    for (const [args, text] of cases) {
      const result = await bundle.run(...args)
      assert.equal(result.code, 1, args.join(' '))
      assert.equal(message(result), text)
    }
    await bundle.run('kill', id, '9')
    await until(async () => (await bundle.state(id)).status === 'stopped', 'stopped')
    const stopped: [string[], string][] = [
      [['kill', id], 'container not running'],
      [['start', id], 'cannot start a container that has stopped'],
      [['pause', id], 'container not running'],
      [['update', '--memory', '64m', id], 'container not running'],
      [['events', '--stats', id], `container with id ${id} is not running`],
    ]
    for (const [args, text] of stopped) assert.equal(message(await bundle.run(...args)), text)
    assert.equal((await bundle.run('delete', id)).code, 0)
  })

  it('knows no container that is not there', async () => {
    for (const command of ['state', 'start', 'kill', 'delete', 'pause', 'resume', 'ps', 'update']) {
      const result = await bundle.run(command, bundle.id('nobody'))
      assert.equal(result.code, 1)
      assert.equal(message(result), 'container does not exist')
    }
    assert.equal((await bundle.run('delete', '--force', bundle.id('nobody'))).code, 0)
  })

  it('takes ids of the right form only', async () => {
    for (const id of ['a/b', '..', '.', 'a b', 'ä', '']) {
      assert.match(
        message(await bundle.run('create', id)),
        /invalid container ID format|cannot be empty/,
        id,
      )
    }
    const long = await bundle.run('create', 'a'.repeat(256))
    assert.match(message(long), /file name too long/)
    assert.deepEqual(bundle.containers(), [])
  })

  it('lets one of two starts win', async () => {
    const id = bundle.id('race')
    await bundle.run('create', id)
    const results = await Promise.all([1, 2, 3, 4].map(() => bundle.run('start', id)))
    assert.equal(results.filter(({ code }) => code === 0).length, 1)
    assert.equal((await bundle.state(id)).status, 'running')
    await bundle.run('delete', '--force', id)
  })

  it('lets one of several creates win', async () => {
    const id = bundle.id('many')
    const results = await Promise.all([1, 2, 3].map(() => bundle.run('create', id)))
    assert.equal(results.filter(({ code }) => code === 0).length, 1)
    await bundle.run('delete', '--force', id)
  })

  it('does not read config.json again', async () => {
    const id = bundle.id('fixed')
    bundle.configure({}, { args: ['sh', '-c', 'echo first >/tmp/said; sleep 100'] })
    await bundle.run('create', id)
    bundle.configure({}, { args: ['sh', '-c', 'echo second >/tmp/said; sleep 100'] })
    await bundle.run('start', id)
    const said = join(bundle.dir, 'rootfs/tmp/said')
    await until(() => existsSync(said) && readFileSync(said, 'utf8') !== '', 'the program ran')
    assert.equal(readFileSync(said, 'utf8'), 'first\n')
    await bundle.run('delete', '--force', id)
  })

  it('deletes a created container, and a SIGTERM ends it', async () => {
    const id = bundle.id('created')
    await bundle.run('create', id)
    await bundle.run('kill', id, 'TERM')
    await until(async () => (await bundle.state(id)).status === 'stopped', 'stopped')
    assert.equal((await bundle.run('delete', id)).code, 0)
    await bundle.run('create', id)
    assert.equal((await bundle.run('delete', id)).code, 0)
    assert.deepEqual(bundle.containers(), [])
  })

  it('pauses and resumes', async () => {
    const id = bundle.id('paused')
    await bundle.run('run', '--detach', id)
    assert.equal((await bundle.run('pause', id)).code, 0)
    assert.equal((await bundle.state(id)).status, 'paused')
    assert.equal(
      message(await bundle.run('exec', id, 'true')),
      'exec failed: cannot exec in a paused container (use --ignore-paused to override)',
    )
    assert.equal((await bundle.run('resume', id)).code, 0)
    assert.equal((await bundle.state(id)).status, 'running')
    await bundle.run('pause', id)
    assert.equal((await bundle.run('delete', '--force', id)).code, 0)
  })

  it('leaves nothing of a create that fails', async () => {
    const id = bundle.id('failed')
    const cases: [() => void, RegExp][] = [
      [() => bundle.configure({}, { args: ['nosuch'] }), /executable file not found in \$PATH$/],
      [
        () => bundle.configure({}, { args: ['/etc/passwd'] }),
        /"\/etc\/passwd": permission denied$/,
      ],
      [
        () => bundle.configure({ mounts: [{ destination: '/x', type: 'nosuchfs', source: 'x' }] }),
        /error mounting "x" to rootfs at "\/x": mount: no such device$/,
      ],
      [() => bundle.configure({ root: { path: 'nope' } }), /invalid rootfs: stat .*no such file/],
      [() => bundle.configure({}, { cwd: 'relative' }), /Cwd must be an absolute path$/],
      [() => bundle.configure({}, { terminal: true }), /cannot allocate tty if runc will detach/],
      [() => writeFileSync(join(bundle.dir, 'config.json'), '{'), /config\.json/],
      [
        () => bundle.configure({ linux: { namespaces: [{ type: 'mount' }] } }),
        /unable to set hostname without a private UTS namespace$/,
      ],
    ]
    for (const [configure, text] of cases) {
      configure()
      const result = await bundle.run('create', id)
      assert.equal(result.code, 1)
      assert.match(message(result), text)
      assert.deepEqual(bundle.containers(), [])
      assert.deepEqual(bundle.cgroups(), [])
    }
  })

  it('leaves nothing of a create that is killed', async () => {
    // The hook holds the create until it is dead.
    bundle.configure({
      hooks: { prestart: [{ path: '/bin/sh', args: ['sh', '-c', 'kill -9 $PPID; sleep 0.1'] }] },
    })
    const id = bundle.id('killed')
    assert.equal((await bundle.run('create', id)).code, null)
    await until(() => bundle.cgroups().length === 0, 'the cgroups are gone')
    bundle.configure({})
    assert.equal((await bundle.run('delete', '--force', id)).code, 0)
    assert.deepEqual(bundle.containers(), [])
  })

  it('says what is wrong in the log file too', async () => {
    const log = join(bundle.dir, 'log.json')
    bundle.configure({}, { args: ['nosuch'] })
    const result = await bundle.run(
      '--log',
      log,
      '--log-format',
      'json',
      'create',
      bundle.id('log'),
    )
    const text =
      'runc create failed: unable to start container process: exec: "nosuch": executable file not found in $PATH'
    assert.equal(result.stderr, `${text}\n`)
    const entry = JSON.parse(readFileSync(log, 'utf8').trim()) as Record<string, string>
    assert.equal(entry['msg'], text)
    assert.equal(entry['level'], 'error')
  })

  it('lists', async () => {
    const id = bundle.id('listed')
    await bundle.run('create', id)
    assert.equal((await bundle.run('list', '-q')).stdout, `${id}\n`)
    const [row] = JSON.parse((await bundle.run('list', '-f', 'json')).stdout) as { id: string }[]
    assert.equal(row?.id, id)
    assert.match(
      (await bundle.run('list')).stdout,
      /^ID +PID +STATUS +BUNDLE +CREATED +OWNER\n\S+ +\d+ +created +\S+ +\S+ +root\n$/,
    )
    await bundle.run('delete', id)
    assert.equal((await bundle.run('list', '-f', 'json')).stdout, 'null\n')
    assert.deepEqual(
      readdirSync(bundle.root).filter((name) => name.startsWith('.removed')),
      [],
    )
  })
})
