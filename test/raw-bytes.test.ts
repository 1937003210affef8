import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import { requires } from '@ctr/testkit'
import { field, useDaemon } from './daemon-fixture.ts'

const skip = requires({ root: true })

describe('bytes that are no UTF-8', { skip }, () => {
  const daemon = useDaemon({ bridge: false })

  /** By a shell, because Node cannot pass such arguments either. `ctr` is a command in the script. */
  async function shell(script: string): Promise<Buffer> {
    const quoted = daemon()
      .cli.map((word) => `'${word}'`)
      .join(' ')
    const { stdout } = await promisify(execFile)(
      'sh',
      ['-ec', `ctr() { ${quoted} "$@"; }\n${script}`],
      { encoding: 'buffer', env: { ...process.env, ...daemon().clientEnvironment } },
    )
    return stdout
  }

  const BYTES = Buffer.from([0xff, 0xfe, 0x80, 0x20, 0xc3, 0xbc, 0xf0, 0x9f])
  const OCTAL = '\\377\\376\\200 \\303\\274\\360\\237'
  const DUMP = ' ff fe 80 20 c3 bc f0 9f\n'

  test('reach the process in arguments', async () => {
    const script = `ctr run --rm busybox printf %s "$(printf '${OCTAL}')"`
    assert.deepEqual(await shell(script), BYTES)
    const dump = `ctr run --rm busybox sh -c 'printf %s "$1" | od -An -tx1' sh "$(printf '${OCTAL}')"`
    assert.equal((await shell(dump)).toString(), DUMP)
  })

  test('reach the process in variables, those of the client too', async () => {
    const print = `sh -c 'printf %s "$IT" | od -An -tx1'`
    const given = `ctr run --rm -e IT="$(printf '${OCTAL}')" busybox ${print}`
    assert.equal((await shell(given)).toString(), DUMP)
    const taken = `IT="$(printf '${OCTAL}')"; export IT; ctr run --rm -e IT busybox ${print}`
    assert.equal((await shell(taken)).toString(), DUMP)
  })

  test('reach an exec, and survive the daemon and a restart of the container', async () => {
    const bytes = `"$(printf '${OCTAL}')"`
    await shell(
      `ctr run -d --name it -e IT=${bytes} busybox sh -c 'printf "%s\\n" "$1" | od -An -tx1; exec sleep 300' ${bytes} ${bytes}`,
    )
    const exec = `ctr exec -e TWO=${bytes} it sh -c 'printf %s "$IT" | od -An -tx1; printf %s "$TWO" | od -An -tx1; printf %s "$1" | od -An -tx1' sh ${bytes}`
    assert.equal((await shell(exec)).toString(), DUMP.repeat(3))
    await daemon().kill9()
    await daemon().restart()
    await daemon().ok(['restart', '-t', '0', 'it'])
    assert.equal((await shell(exec)).toString(), DUMP.repeat(3))
    assert.equal((await shell('ctr logs it')).toString(), DUMP.replace('\n', ' 0a\n').repeat(2))
  })

  test('may be the name of the program, which the daemon keeps', async () => {
    await shell(`ctr create --name it --entrypoint "$(printf '/bin/\\377')" busybox x`)
    await daemon().kill9()
    await daemon().restart()
    const { text } = await daemon().request('GET', '/containers/it/json')
    assert.ok(text.includes('"Path":"/bin/\\udcff"'), text.slice(0, 300))
    assert.match((await daemon().ctr(['start', 'it'])).stderr, /exec: "\/bin\/.*no such file/)
  })

  test('show as escapes in JSON and in quotes, and as the replacement character elsewhere', async () => {
    await shell(`ctr create --name it busybox echo "$(printf '\\377')"`)
    const { text } = await daemon().request('GET', '/containers/it/json')
    assert.ok(text.isWellFormed())
    assert.ok(text.includes('"Args":["\\udcff"]'), text.slice(0, 300))
    assert.equal(await field(daemon(), 'it', '{{index .Args 0}}'), '\ufffd')
    assert.equal(await daemon().ok(['ps', '-a', '--format', '{{.Command}}']), '"echo \\udcff"')
  })

  test('are refused where they would be names and paths of the host', async () => {
    for (const flags of ['-v "$(printf "/tmp/\\377:/x")"', '--hostname "$(printf "a\\377")"']) {
      await assert.rejects(shell(`ctr create ${flags} busybox true`), /is not valid UTF-8/)
    }
    assert.equal(await daemon().ok(['ps', '-aq']), '')
  })
})
