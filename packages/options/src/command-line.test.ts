import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ContainerCreate, decode, ExecConfig } from '@ctr/api'
import { type ExecCommand, type RunCommand, readCommandLine } from './command-line.ts'
import { RUN_FLAGS } from './container-flags.ts'
import { EXEC_FLAGS } from './exec-flags.ts'

function run(...words: string[]): RunCommand | undefined {
  const command = readCommandLine(words)
  assert.notEqual(command?.kind, 'exec')
  return command as RunCommand | undefined
}

function exec(...words: string[]): ExecCommand | undefined {
  const command = readCommandLine(words)
  assert.notEqual(command?.kind, 'run')
  return command as ExecCommand | undefined
}

void describe('a command line that is read elsewhere', () => {
  void it('run: the request of its options', () => {
    const command = run(
      'run',
      '--rm',
      '-m',
      '64m',
      '-e',
      'A=1',
      '-v',
      '/etc:/host:ro',
      'busybox',
      'ls',
      '-l',
    )
    assert.equal(command?.path, 'ctr run')
    assert.equal(command.isDetached, false)
    assert.equal(command.isProxied, true)
    const { body } = command.request
    assert.equal(body.Image, 'busybox')
    assert.deepEqual(body.Cmd, ['ls', '-l'])
    assert.deepEqual(body.Env, ['A=1'])
    assert.equal(body.AttachStdout, true)
    const { AutoRemove, Memory, Binds } = body.HostConfig
    assert.deepEqual(
      { AutoRemove, Memory, Binds },
      { AutoRemove: true, Memory: 64 << 20, Binds: ['/etc:/host:ro'] },
    )
  })

  void it('run: the path as typed, signals, the background', () => {
    assert.equal(run('container', 'run', 'busybox')?.path, 'ctr container run')
    assert.equal(run('run', '--sig-proxy=false', 'busybox')?.isProxied, false)
    const detached = run('run', '-d', 'busybox', 'sleep', '1')
    assert.equal(detached?.isDetached, true)
    assert.equal(detached.request.body.AttachStdout, false)
  })

  void it('run: an absolute path is one anywhere', () => {
    assert.equal(
      run('run', '--rootfs', '/srv/../srv/x:O', 'true')?.request.body.HostConfig.Rootfs,
      '/srv/x:O',
    )
  })

  void it('exec: container, configuration, whether it is held', () => {
    const command = exec('exec', '-u', '1', '-w', '/tmp', 'web', 'ls', '-a')
    assert.equal(command?.container, 'web')
    assert.equal(command.isHeld, true)
    assert.deepEqual(command.config.Cmd, ['ls', '-a'])
    assert.equal(command.config.User, '1')
    assert.equal(exec('container', 'exec', '--keep', 'web', 'ls')?.isHeld, false)
  })
})

/** Each for another reason. */
const OF_THE_CLIENT: readonly (readonly string[])[] = [
  // Another command, or none.
  [],
  ['ps'],
  ['container'],
  ['container', 'ls'],
  ['constructor'],
  // What is to be said: help, wrong words, too few of them.
  ['run'],
  ['run', '--help'],
  ['run', '--no-such-flag', 'busybox'],
  ['run', '--memory', 'much', 'busybox'],
  ['run', 'BUSYBOX'],
  ['run', '--platform', 'nope', 'busybox'],
  ['run', '--rm', '--restart', 'always', 'busybox'],
  ['exec', 'web'],
  ['exec', '--help'],
  // A terminal, or input.
  ['run', '-it', 'busybox'],
  ['run', '-i', 'busybox'],
  ['run', '-a', 'stdin', 'busybox'],
  ['run', '--detach-keys', 'ctrl-x', 'busybox'],
  ['exec', '-i', 'web', 'cat'],
  ['exec', '-t', 'web', 'top'],
  // Files, environment and current directory.
  ['run', '--env-file', '/etc/hostname', 'busybox'],
  ['run', '--label-file', '/etc/hostname', 'busybox'],
  ['run', '-e', 'HOME', 'busybox'],
  ['run', '-v', './x:/x', 'busybox'],
  ['run', '--mount', 'type=bind,src=.,dst=/x', 'busybox'],
  ['run', '--rootfs', 'x', 'true'],
  ['run', '--security-opt', 'seccomp=/etc/hostname', 'busybox'],
  ['run', '--cidfile', '/tmp/id', 'busybox'],
  ['exec', '-e', 'HOME', 'web', 'env'],
  ['exec', '--env-file', '/etc/hostname', 'web', 'env'],
  // What the client does beside the request.
  ['run', '--pull', 'always', 'busybox'],
  ['run', '--pull', 'sometimes', 'busybox'],
  ['run', '--explain', 'busybox'],
  ['run', '-d', '--timing', 'busybox'],
  ['run', '-d', '--wait', 'busybox'],
  ['run', '-d', '-a', 'stdout', 'busybox'],
  ['run', '--use-api-socket', 'busybox'],
  ['run', '--cpu-count', '1', 'busybox'],
  ['exec', '-d', 'web', 'true'],
  ['exec', 'ls', 'web'],
  ['exec', 'attach', '1f2e3d'],
  ['exec', 'kill', '1f2e3d'],
]

void describe('the client is needed for', () => {
  for (const words of OF_THE_CLIENT) {
    void it(JSON.stringify(words.join(' ')), () => assert.equal(readCommandLine(words), undefined))
  }
})

void it('a flag of the client is one wherever it stands', () => {
  for (const flag of RUN_FLAGS.filter(({ ofClient }) => ofClient === true)) {
    assert.equal(readCommandLine(['run', `--${flag.name}=1`, 'busybox']), undefined, flag.name)
  }
  for (const flag of EXEC_FLAGS.filter(({ ofClient }) => ofClient === true)) {
    assert.equal(readCommandLine(['exec', `--${flag.name}=1`, 'web', 'ls']), undefined, flag.name)
  }
})

/** Between them nearly every option that has a part in the request. */
const RICH: readonly string[] = [
  'run --rm --name a -h b --domainname c -u 1:2 -w /w -e A=1 -l x=y --annotation n=1 --entrypoint sh --init busybox -c true',
  'run -d -p 8080:80 -p 127.0.0.1:53:53/udp --expose 90 -P --restart on-failure:3 --restart-delay 1s,5m,2 busybox',
  'run --network net --network-alias z --ip 10.0.0.5 --mac-address 92:d0:c6:0a:29:33 --dns 1.1.1.1 --dns-search . --dns-option ndots:2 --add-host h:1.2.3.4 busybox',
  'run --network name=one,alias=x,driver-opt=k=v --network two --link a:b busybox',
  'run -m 64m --memory-swap -1 --memory-reservation 32m --memory-swappiness 10 --cpus 1.5 --cpu-shares 5 --cpuset-cpus 0 --pids-limit 9 --oom-score-adj 5 --shm-size 1m busybox',
  'run --blkio-weight 10 --blkio-weight-device /dev/sda:20 --device-read-bps /dev/sda:1m --device-write-iops /dev/sda:5 --ulimit nofile=1:2 --sysctl net.a=1 busybox',
  'run --device /dev/fuse:/dev/x:r --device vendor.com/class=a --gpus all --group-add 5 --cap-add ALL --cap-drop net_raw busybox',
  'run -v /a:/b:ro -v named:/c -v /anonymous --mount type=bind,src=/a,dst=/d,bind-recursive=disabled --mount type=tmpfs,dst=/e,tmpfs-size=1m --tmpfs /f:size=1m --volumes-from g busybox',
  'run --health-cmd true --health-interval 1s --health-retries 2 --health-on-failure kill --stop-signal INT --stop-timeout 3 --timeout 9 --requires db,web:healthy busybox',
  'run --no-healthcheck --log-driver json-file --log-opt max-size=1m --security-opt no-new-privileges --security-opt systempaths=unconfined --read-only --privileged busybox',
  'run --ipc host --pid host --uts host --userns host --cgroupns host --cgroup-parent /x --cgroup-conf memory.high=1 --storage-opt size=1g --platform linux/amd64 --secret s,type=env busybox',
  'run --rootfs /srv/x:O --replace --name y --uidmap 0:1:2 --gidmap 0:1:2 --userns map true',
]

void describe('a request that was not written as JSON is as if it had been', () => {
  for (const line of RICH) {
    void it(line, () => {
      const body = run(...line.split(' '))?.request.body
      assert.ok(body, 'it is read')
      const written: unknown = JSON.parse(JSON.stringify(body))
      assert.deepEqual(decode(ContainerCreate, body), decode(ContainerCreate, written))
    })
  }

  void it('exec', () => {
    const config = exec(
      'exec',
      '-e',
      'A=1',
      '-u',
      '1',
      '-w',
      '/',
      '--privileged',
      'web',
      'ls',
    )?.config
    assert.deepEqual(
      decode(ExecConfig, config),
      decode(ExecConfig, JSON.parse(JSON.stringify(config))),
    )
  })
})
