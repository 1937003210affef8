import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runErrorText } from './ends.ts'

test('an option behind the image is told apart from a program that is not there', () => {
  const notFound = (program: string): string =>
    `exec: "${program}": executable file not found in $PATH`
  const hint = /^ctr: .*\n\nOptions of 'ctr run' go before the image; .*\n\nRun 'ctr run --help'/
  assert.match(runErrorText(notFound('--name'), 'ctr run'), hint)
  assert.match(runErrorText(notFound('-it'), 'ctr run'), hint)
  assert.doesNotMatch(runErrorText(notFound('nope'), 'ctr run'), /before the image/)
})
