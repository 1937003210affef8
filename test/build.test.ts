import assert from 'node:assert/strict'
import { once } from 'node:events'
import { globSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { type ImageFile, requires, tarArchive, waitFor } from '@ctr/testkit'
import { useDaemon } from './daemon-fixture.ts'

const skip = requires({ root: true })
const ctrd = useDaemon()

interface Built {
  readonly status: number
  readonly text: string
  /** What clients print. */
  readonly output: string
  readonly error: string
  readonly code: number | undefined
  readonly id: string
}

async function build(
  dockerfile: string,
  files: readonly ImageFile[] = [],
  query: Readonly<Record<string, string>> = {},
): Promise<Built> {
  const context = tarArchive([{ path: 'Dockerfile', content: dockerfile }, ...files])
  const parameters = new URLSearchParams({ networkmode: 'none', ...query })
  return await post(`/build?${parameters.toString()}`, context)
}

async function post(path: string, context: Buffer): Promise<Built> {
  const { status, text } = await ctrd().request('POST', path, context, {
    headers: { 'content-type': 'application/x-tar' },
  })
  const messages = text
    .trim()
    .split(/\r?\n/)
    .map((line) => JSON.parse(line) as Message)
  const failure = messages.find(({ errorDetail }) => errorDetail !== undefined)?.errorDetail
  return {
    status,
    text,
    output: messages.map(({ stream = '' }) => stream).join(''),
    error: failure?.message ?? messages[0]?.message ?? '',
    code: failure?.code,
    id: messages.findLast(({ aux }) => aux !== undefined)?.aux?.ID ?? '',
  }
}

interface Message {
  readonly stream?: string
  readonly message?: string
  readonly errorDetail?: { readonly code?: number; readonly message: string }
  readonly aux?: { readonly ID: string }
}

/** Removed while the answer ends. */
async function noWorkFiles(): Promise<void> {
  await waitFor('the files of the build to go', () => {
    const tmp = join(ctrd().dataRoot, 'tmp')
    const found = globSync(['*', 'spread/*/*'], { cwd: tmp })
    return found.some((path) => /(?:build|commit|download)-/.test(path)) ? undefined : true
  })
}

describe('a build', { skip }, () => {
  test('runs, copies and names an image', async () => {
    const dockerfile = 'FROM busybox\nCOPY a /b\nRUN cat /b > /c\nCMD ["cat", "/c"]\n'
    const built = await build(dockerfile, [{ path: 'a', content: 'hello\n' }], { t: 'mine:1' })
    assert.match(built.output, /^Step 1\/4 : FROM busybox\n ---> [0-9a-f]{12}\nStep 2/)
    assert.match(built.output, /Successfully tagged mine:1\n$/)
    assert.equal(await ctrd().ok(['run', '--rm', '--network', 'none', 'mine:1']), 'hello')
    assert.equal(await ctrd().ok(['ps', '--all', '--quiet']), '')
    await noWorkFiles()
  })

  test('takes from the cache what is the same, until something is not', async () => {
    const lines = ['FROM busybox', 'ARG A', 'COPY a /a', 'RUN echo $A', 'ENV B=1']
    const dockerfile = lines.join('\n')
    const file = (content: string): ImageFile[] => [{ path: 'a', content }]
    const first = await build(dockerfile, file('1'), { buildargs: '{"A":"x"}' })
    const again = await build(dockerfile, file('1'), { buildargs: '{"A":"x"}' })
    assert.equal(again.id, first.id)
    assert.equal(again.output.match(/Using cache/g)?.length, 4)
    const otherArg = await build(dockerfile, file('1'), { buildargs: '{"A":"y"}' })
    assert.equal(otherArg.output.match(/Using cache/g)?.length, 2)
    const otherFile = await build(dockerfile, file('2'), { buildargs: '{"A":"x"}' })
    assert.equal(otherFile.output.match(/Using cache/g)?.length, 1)
    const uncached = await build(dockerfile, file('1'), { nocache: '1' })
    assert.doesNotMatch(uncached.output, /Using cache/)
  })

  test('a proxy is given to commands, and is neither in the image nor in the cache', async () => {
    const dockerfile = 'FROM busybox\nRUN echo "proxy: $HTTP_PROXY"\n'
    const first = await build(dockerfile, [], { buildargs: '{"HTTP_PROXY":"one"}' })
    assert.match(first.output, /proxy: one/)
    const second = await build(dockerfile, [], { buildargs: '{"HTTP_PROXY":"two"}' })
    assert.match(second.output, /Using cache/)
    assert.doesNotMatch(await ctrd().ok(['history', '--no-trunc', second.id]), /one|two/)
  })

  test('takes the steps of an image that was loaded, if told to', async () => {
    const dockerfile = 'FROM busybox\nRUN head -c 8 /dev/urandom > /random\nENV A=1\nENV B=2\n'
    const first = await build(dockerfile, [], { t: 'cached:1' })
    const archive = join(ctrd().root, 'cached.tar')
    await ctrd().ok(['save', '-o', archive, 'cached:1'])
    await ctrd().ok(['rmi', 'cached:1'])
    await ctrd().ok(['load', '-i', archive])
    const changed = dockerfile.replace('B=2', 'B=3')
    const from = await build(changed, [], { cachefrom: '["cached:1"]' })
    assert.equal(from.output.match(/Using cache/g)?.length, 2)
    assert.notEqual(from.id, first.id)
    const random = (id: string) =>
      ctrd().ok(['run', '--rm', '--network', 'none', id, 'sha256sum', '/random'])
    assert.equal(await random(from.id), await random('cached:1'))
  })

  test('here-documents are commands, input, programs and files', async () => {
    const lines = (word: string): string[] => [
      'FROM busybox',
      'ARG A=1',
      'RUN <<EOF',
      '# of the shell',
      'x=$A',
      `echo "${word} $x"`,
      'EOF',
      'RUN cat <<-EOF > /input && wc -l < /input',
      '\tindented $A',
      '\tEOF',
      'RUN <<program',
      '#!/bin/cat',
      'read by cat',
      'program',
      'COPY --chown=3:4 <<a <<"b" file /d/',
      'expanded "$A"',
      'a',
      'literal "$A"',
      'b',
      "RUN cat /input /d/*; stat -c '%n %a %u:%g' /d/*; ls -d /dev/pipes 2>&1 || true",
    ]
    const files = [{ path: 'file', content: 'of the context\n' }]
    const { output } = await build(lines('one').join('\n'), files)
    assert.match(output, /\none 1\n/)
    assert.match(output, /\n1\n/)
    assert.match(output, /\n#!\/bin\/cat\nread by cat\n/)
    assert.match(
      output,
      /indented 1\nexpanded "1"\nliteral "\$A"\nof the context\n\/d\/a 644 3:4\n\/d\/b 644 3:4\n\/d\/file 644 3:4\nls: \/dev\/pipes/,
    )
    const again = await build(lines('one').join('\n'), files)
    assert.equal(again.output.match(/Using cache/g)?.length, 6)
    const other = await build(lines('one').join('\n').replace('read by', 'seen by'), files)
    assert.equal(other.output.match(/Using cache/g)?.length, 3)
    assert.match(other.output, /\nseen by cat\n/)
    await noWorkFiles()
  })

  test('an archive is not unpacked onto a file', async () => {
    const archive = tarArchive([{ path: 'x', content: 'x' }])
    const files = [{ path: 'f.tar', content: archive }]
    const { error } = await build('FROM busybox\nRUN touch /d\nADD f.tar /d\n', files)
    assert.equal(error, 'failed to copy files: lstat /d: not a directory')
  })

  test('build arguments are no words of the shell', async () => {
    const value = '$(touch /pwned); `touch /pwned`; " \' \n x'
    const built = await build(
      'FROM busybox\nARG A\nRUN printf %s "$A" > /a; ls /pwned || true\n',
      [],
      { buildargs: JSON.stringify({ A: value }), t: 'args:1' },
    )
    assert.match(built.output, /ls: \/pwned: No such file/)
    assert.equal(
      await ctrd().ok(['run', '--rm', '--network', 'none', 'args:1', 'cat', '/a']),
      value,
    )
  })

  test('a command that fails is told with its status, and leaves its container unless told not to', async () => {
    const failed = await build('FROM busybox\nRUN exit 3\n')
    assert.equal(failed.error, "The command '/bin/sh -c exit 3' returned a non-zero code: 3")
    assert.equal(failed.code, 3)
    assert.equal((await ctrd().ok(['ps', '--all', '--quiet'])).split('\n').length, 1)
    await ctrd().ok(['rm', await ctrd().ok(['ps', '--all', '--quiet'])])
    await build('FROM busybox\nRUN exit 3\n', [], { forcerm: '1' })
    assert.equal(await ctrd().ok(['ps', '--all', '--quiet']), '')
  })

  test('removal of the result removes what it was made of', async () => {
    const before = await ctrd().ok(['images', '--all', '--quiet'])
    const dockerfile = 'FROM busybox\nENV REMOVED=1\nRUN echo > /removed\nENV C=3\n'
    await build(dockerfile, [], { t: 'removed:1' })
    assert.notEqual(await ctrd().ok(['images', '--all', '--quiet']), before)
    await ctrd().ok(['rmi', 'removed:1'])
    assert.equal(await ctrd().ok(['images', '--all', '--quiet']), before)
  })

  test('an image without a PATH gets one', async () => {
    const archive = join(ctrd().root, 'root.tar')
    writeFileSync(archive, tarArchive([{ path: 'a', content: 'a' }]))
    await ctrd().ok(['import', '-c', 'ENV A=1', archive, 'pathless:1'])
    const { id } = await build('FROM pathless:1\nLABEL a=b\n')
    assert.equal(
      await ctrd().ok(['inspect', '-f', '{{.Config.Env}}', id]),
      '[A=1 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin]',
    )
  })

  test('limits hold for the commands', async () => {
    const built = await build('FROM busybox\nRUN ulimit -n; df /dev/shm\n', [], {
      ulimits: '[{"Name":"nofile","Soft":77,"Hard":88}]',
      shmsize: String(3 << 20),
    })
    assert.match(built.output, /^77$/m)
    assert.match(built.output, /shm +3072 /)
  })

  test('a compressed context, a Dockerfile by URL, and a file that is ADDed by URL', async () => {
    const server = createServer((request, response) => {
      const isText = request.url === '/Dockerfile'
      response.setHeader('content-type', isText ? 'text/plain' : 'application/octet-stream')
      const content = { '/Dockerfile': 'FROM busybox\nENV BY=url\n', '/a.txt': 'added\n' }
      const found = content[request.url as keyof typeof content]
      if (found === undefined) response.writeHead(404).end()
      else response.end(found)
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    try {
      const remote = await post(`/build?remote=${url}/Dockerfile`, Buffer.alloc(0))
      assert.match(remote.output, /ENV BY=url/)
      const dockerfile = `FROM busybox\nADD ${url}/a.txt /x/\nRUN cat /x/a.txt; stat -c %a /x/a.txt\n`
      const packed = gzipSync(tarArchive([{ path: 'Dockerfile', content: dockerfile }]))
      const added = await post('/build?networkmode=none', packed)
      assert.match(added.output, /^added\n600$/m)
      const missing = await build(`FROM busybox\nADD ${url}/nope /x\n`)
      assert.match(missing.error, /^ADD failed: failed to GET http:.* with status 404/)
      await noWorkFiles()
    } finally {
      server.close()
    }
  })

  test('BuildKit is refused with what to do', async () => {
    const refused = await build('FROM busybox\n', [], { version: '2' })
    assert.equal(refused.status, 501)
    assert.match(refused.error, /DOCKER_BUILDKIT=0/)
  })

  test('a client that goes takes its build along', async () => {
    const directory = join(ctrd().root, 'gone')
    mkdirSync(directory, { recursive: true })
    writeFileSync(join(directory, 'Dockerfile'), 'FROM busybox\nRUN echo begun; sleep 1000\n')
    const session = ctrd().session(['build', '--network', 'none', directory])
    await waitFor('the step to begin', () =>
      session.output.includes('\nbegun') ? true : undefined,
    )
    session.kill('SIGKILL')
    await session.exited
    await waitFor('the container to go', async () => {
      return (await ctrd().ok(['ps', '--all', '--quiet'])) === '' ? true : undefined
    })
    await noWorkFiles()
  })

  test('nothing is left of a build when the daemon was killed', async () => {
    const directory = join(ctrd().root, 'killed')
    mkdirSync(directory, { recursive: true })
    writeFileSync(
      join(directory, 'Dockerfile'),
      'FROM busybox\nVOLUME /v\nRUN echo begun; sleep 1000\n',
    )
    const session = ctrd().session(['build', '--network', 'none', directory])
    await waitFor('the step to begin', () =>
      session.output.includes('\nbegun') ? true : undefined,
    )
    await ctrd().kill9()
    await session.exited
    await ctrd().restart()
    await waitFor('the container to go', async () => {
      return (await ctrd().ok(['ps', '--all', '--quiet'])) === '' ? true : undefined
    })
    assert.equal(await ctrd().ok(['volume', 'ls', '--quiet']), '')
    await noWorkFiles()
  })
})

describe('a hostile context', { skip }, () => {
  const secret = '/etc/hostname'
  const link = (path: string, target: string): ImageFile => ({ path, type: 'symlink', target })
  const cases: readonly [string, string, readonly ImageFile[]][] = [
    ['a link out', 'COPY out /x', [link('out', secret)]],
    ['a path through a link out', 'COPY out/hostname /x', [link('out', '/etc')]],
    ['a relative link out', 'COPY out /x', [link('out', '../../../../../../../../etc/hostname')]],
    ['a path with dots', 'COPY a/../../../etc/hostname /x', [{ path: 'a/', type: 'directory' }]],
    ['links in a ring', 'COPY one /x', [link('one', 'two'), link('two', 'one')]],
  ]
  for (const [name, line, files] of cases) {
    test(`${name} leads nowhere`, async () => {
      const built = await build(`FROM busybox\n${line}\n`, files)
      assert.match(built.error, /^COPY failed: /)
      assert.ok(!built.text.includes(readFileSync(secret, 'utf8').trim()))
    })
  }

  test('members with dots or behind links stay in the context', async () => {
    const dotted = await build('FROM busybox\n', [{ path: '../../escaped', content: 'x' }])
    assert.equal(dotted.status, 400)
    const linked = await build('FROM busybox\nCOPY . /x\nRUN find /x | sort\n', [
      link('l', ctrd().root),
      { path: 'l/escaped', content: 'x' },
    ])
    assert.equal(linked.error, '')
    assert.ok(!readdirSync(ctrd().root).includes('escaped'))
  })

  test('archives that are ADDed stay below their destination', async () => {
    const inner = tarArchive([{ path: '../../escaped', content: 'x' }])
    const built = await build('FROM busybox\nADD a.tar /d/\n', [{ path: 'a.tar', content: inner }])
    assert.match(built.error, /outside of the archive's root/)
  })

  test('the destination is resolved in the image', async () => {
    const built = await build(
      `FROM busybox\nRUN ln -s ${ctrd().root} /d; ln -s ../../../../../../tmp /e\nCOPY a /d/\nCOPY a /e/\nRUN ls ${ctrd().root} /tmp\n`,
      [{ path: 'a', content: 'x' }],
    )
    assert.equal(built.error, '')
    assert.ok(!readdirSync(ctrd().root).includes('a'))
  })

  test('files that are large, or patterns of many stars, are answered', async () => {
    const long = await build(
      `FROM busybox\n${'#'.repeat(1 << 20)}\n`.repeat(1) + 'ENV A=1\n'.repeat(50_000),
      [],
      {
        target: 'nope',
      },
    )
    assert.match(long.error, /failed to reach build target nope|greater than maximum/)
    const stars = await build(`FROM busybox\nCOPY ${'a*'.repeat(40)}b /x\n`, [
      { path: 'a'.repeat(90), content: 'x' },
    ])
    assert.match(stars.error, /no source files were specified/)
    const deep = await build(`FROM busybox\nENV A=${'${A:-'.repeat(5000)}\n`)
    assert.match(deep.error, /substitution/)
  })

  test('triggers of an image cannot bring forth others, or stages', async () => {
    const archive = tarArchive([])
    const tar = join(ctrd().root, 'empty.tar')
    writeFileSync(tar, archive)
    const chained = await build('FROM busybox\nONBUILD ONBUILD RUN true\n')
    assert.match(chained.error, /Chaining ONBUILD/)
  })
})
