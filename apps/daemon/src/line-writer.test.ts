import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { lineWriter } from './line-writer.ts'

let directory: string
let fd: number
beforeEach(() => {
  directory = mkdtempSync('/tmp/ctr-lines-')
  const path = join(directory, 'pipe')
  execFileSync('mkfifo', [path])
  fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
})
afterEach(() => {
  closeSync(fd)
  rmSync(directory, { recursive: true })
})

function read(bytes = 1 << 20): string {
  const buffer = Buffer.alloc(bytes)
  return buffer.toString('latin1', 0, readSync(fd, buffer))
}

const tell = (lost: number): string => `(${lost} lines lost)\n`

test('a reader that sleeps is waited for once, and then told what it has missed', () => {
  let waits = 0
  const write = lineWriter(fd, tell, () => {
    waits += 1
  })
  const line = `${'x'.repeat(9999)}\n`
  // pipe(7): 65536 bytes
  for (let lines = 0; lines < 7; lines++) write(line)
  const waited = waits
  assert.ok(waited > 0)
  for (let lines = 0; lines < 1000; lines++) write(line)
  assert.equal(waits, waited)
  const there = read()
  const cut = there.length % 10_000
  assert.equal(there, line.repeat(6) + line.slice(0, cut))
  write('again\n')
  write('and again\n')
  assert.equal(read(), `${cut === 0 ? '' : '\n'}(1001 lines lost)\nagain\nand again\n`)
  for (let lines = 0; lines < 7; lines++) write(line)
  assert.equal(waits, 2 * waited)
})

test('a reader that goes on while it is waited for misses nothing', () => {
  let text = ''
  const write = lineWriter(fd, tell, () => {
    text += read()
  })
  const line = `${'x'.repeat(9999)}\n`
  for (let lines = 0; lines < 20; lines++) write(line)
  assert.equal(text + read(), line.repeat(20))
})
