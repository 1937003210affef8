import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import type { ImageFile } from '@ctr/testkit'
import { imageArchive, requires, tarArchive } from '@ctr/testkit'
import { useUnchangedDaemon } from './unchanged-daemon.ts'

// Whatever comes in: a clear message, the right code, nothing changed, the daemon alive.
const skip = requires({ root: true })
const ctrd = useUnchangedDaemon()
const whole = imageArchive({
  reference: 'broken:1',
  layers: [[{ path: 'f', content: 'x'.repeat(5000) }]],
})
const brokenArchives: [string, Buffer][] = [
  ['no archive at all', Buffer.from('this is no tar archive, whatever its name says')],
  ['nothing', Buffer.alloc(0)],
  ['an archive cut in the middle of a layer', whole.subarray(0, Math.floor(whole.length / 2))],
  ['a packed archive cut short', gzipSync(whole).subarray(0, 200)],
  ['an archive packed by something unknown', brotliCompressSync(whole)],
  ['an archive without a manifest', tarArchive([{ path: 'f', content: 'x' }])],
  ['a manifest that is no JSON', tarArchive([{ path: 'manifest.json', content: '{' }])],
  [
    'a manifest that names files which are not there',
    tarArchive([
      {
        path: 'manifest.json',
        content: JSON.stringify([{ Config: 'c.json', RepoTags: ['broken:1'], Layers: ['l.tar'] }]),
      },
    ]),
  ],
  [
    'a manifest that names files outside',
    tarArchive([
      {
        path: 'manifest.json',
        content: JSON.stringify([
          { Config: '../../../etc/passwd', RepoTags: ['broken:1'], Layers: ['/etc/passwd'] },
        ]),
      },
    ]),
  ],
  [
    'a layer that is not what its digest says',
    Buffer.from(whole.toString('latin1').replace('xxxxxxxxxx', 'xxxxxyxxxx'), 'latin1'),
  ],
  [
    'a header with a wrong checksum',
    Buffer.from(whole.toString('latin1').replace('manifest.json', 'manifesT.json'), 'latin1'),
  ],
]
for (const [name, archive] of brokenArchives) {
  test(`load of ${name} is an error and leaves no part of an image`, { skip }, async () => {
    const result = await ctrd().ctr(['load'], { input: archive })
    assert.equal(result.code, 1, result.stdout + result.stderr)
    assert.match(result.stderr, /./)
  })
}

const hostileLayers: [string, ImageFile[]][] = [
  ['a path that climbs out', [{ path: '../../../../../../ctr-test-evil', content: 'x' }]],
  ['an absolute path', [{ path: '/ctr-test-evil', content: 'x' }]],
  [
    'a file through a symbolic link to the host',
    [
      { path: 'link', type: 'symlink', target: '/' },
      { path: 'link/ctr-test-evil', content: 'x' },
    ],
  ],
  [
    'a hard link to a file of the host',
    [
      { path: 'passwd', type: 'hardlink', target: '../../../../../../../etc/passwd' },
      { path: 'passwd', content: 'ctr-test-evil' },
    ],
  ],
]
for (const [name, files] of hostileLayers) {
  test(`a layer with ${name} cannot write to the host`, { skip }, async () => {
    const passwd = readFileSync('/etc/passwd', 'utf8')
    await ctrd().ctr(['load'], { input: imageArchive({ reference: 'hostile:1', layers: [files] }) })
    assert.ok(!existsSync('/ctr-test-evil'))
    assert.equal(readFileSync('/etc/passwd', 'utf8'), passwd)
    await ctrd().ctr(['rmi', '-f', 'hostile:1'])
  })
}

function busyboxWith(files: readonly ImageFile[], reference: string): Buffer {
  const base: ImageFile[] = [
    { path: 'bin/', type: 'directory' },
    { path: 'bin/busybox', content: readFileSync('/bin/busybox'), mode: 0o755 },
    { path: 'bin/sh', type: 'symlink', target: 'busybox' },
    { path: 'bin/cat', type: 'symlink', target: 'busybox' },
  ]
  return imageArchive({
    reference,
    layers: [base, files],
    config: { Env: ['PATH=/bin'], Cmd: ['/bin/cat', '/proc/self/status'] },
  })
}

const etc: ImageFile = { path: 'etc/', type: 'directory' }
const passwdFiles: [string, ImageFile[], readonly string[]][] = [
  [
    'a FIFO',
    [etc, { path: 'etc/passwd', type: 'fifo' }, { path: 'etc/group', type: 'fifo' }],
    ['-u', 'someone'],
  ],
  [
    'a link to a file of the host',
    [etc, { path: 'etc/passwd', type: 'symlink', target: '../../../../../../../../etc/passwd' }],
    ['-u', 'daemon'],
  ],
  ['a directory', [etc, { path: 'etc/passwd/', type: 'directory' }], ['-u', 'someone']],
  [
    'a link to itself',
    [etc, { path: 'etc/passwd', type: 'symlink', target: 'passwd' }],
    ['-u', 'someone'],
  ],
  [
    'a device',
    [etc, { path: 'etc/passwd', type: 'character', major: 1, minor: 5 }],
    ['-u', 'someone'],
  ],
  [
    'eight megabytes long',
    [etc, { path: 'etc/passwd', content: 'x'.repeat(8_000_000) }],
    ['-u', 'someone'],
  ],
]
for (const [name, files, flags] of passwdFiles) {
  test(`/etc/passwd that is ${name} neither blocks nor leads out`, { skip }, async () => {
    await ctrd().ctr(['load'], { input: busyboxWith(files, 'passwd:1') })
    const named = await ctrd().ctr(['run', '--rm', ...flags, 'passwd:1'])
    assert.ok(named.code === 125 || named.code === 126, named.stdout + named.stderr)
    assert.match(named.stderr, /./)
    const numeric = await ctrd().ctr(['run', '--rm', '-u', '7', 'passwd:1'])
    if (numeric.code === 0) assert.match(numeric.stdout, /^Uid:\t7\t7\t7\t7$/m)
    assert.match((await ctrd().ctr(['rmi', 'passwd:1'])).stdout, /Untagged/)
  })
}

test('a working directory in /proc/self/fd does not lead to the host', { skip }, async () => {
  for (let descriptor = 3; descriptor < 16; descriptor++) {
    const result = await ctrd().ctr([
      'run',
      '--rm',
      '-w',
      `/proc/self/fd/${descriptor}`,
      'busybox',
      'sh',
      '-c',
      `cat ../../../../../../${ctrd().root}/ctrd.pid; ls /proc/self/cwd/${ctrd().root}`,
    ])
    assert.doesNotMatch(result.stdout, /./, `descriptor ${descriptor}`)
  }
})

test('links in the way of what the engine makes do not lead to the host', { skip }, async () => {
  const victims: ImageFile[] = [
    { path: 'etc', type: 'symlink', target: `../../../../../..${ctrd().root}/victim` },
    { path: 'dev', type: 'symlink', target: `${ctrd().root}/victim` },
    { path: 'proc', type: 'symlink', target: '/bin' },
    { path: 'sys', type: 'fifo' },
  ]
  for (const victim of victims) {
    await ctrd().ctr(['load'], { input: busyboxWith([victim], 'links:1') })
    await ctrd().ctr(['run', '--rm', 'links:1'])
    assert.ok(!existsSync(`${ctrd().root}/victim`), victim.path)
    assert.match((await ctrd().ctr(['rmi', 'links:1'])).stdout, /Untagged/)
  }
})
