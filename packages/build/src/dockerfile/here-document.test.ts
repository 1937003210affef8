import assert from 'node:assert/strict'
import { test } from 'node:test'
import { expandDocument } from './expand.ts'
import { hereWords } from './here-document.ts'
import { parseDockerfile } from './stages.ts'

function only(text: string) {
  const [step] = parseDockerfile(`FROM x\n${text}`).stages[0]?.steps ?? []
  assert.ok(step !== undefined)
  return step.instruction
}

const WORDS: readonly [line: string, names: readonly string[]][] = [
  ['RUN <<EOF', ['EOF']],
  ['run cat <<A - 3<<B > /x', ['A', 'B']],
  ['COPY --chown=1 <<"a" <<c /d/', ['a', 'c']],
  ['ONBUILD RUN <<EOF', ['EOF']],
  ['RUN [ -f a ] && cat <<EOF', ['EOF']],
  ['RUN cat << EOF', []],
  ['RUN cat <<<EOF', []],
  ['RUN echo $((1<<2)) "<<EOF" \'<<EOF\'', []],
  ['RUN ["cat", "<<EOF"]', []],
  ['ENV A=<<EOF', []],
  ['CMD cat <<EOF', []],
]
for (const [line, names] of WORDS) {
  test(`here-documents of ${line}`, () => {
    assert.deepEqual(
      hereWords(line).map(({ name }) => name),
      names,
    )
  })
}

test('a here-document alone is what the shell runs', () => {
  const run = only('RUN <<-EOF\n\t# no comment\n\n\techo a \\\n\t  b\n\tEOF\nENV A=1')
  const words = ['# no comment\n\necho a \\\n  b\n']
  assert.deepEqual(run, { name: 'RUN', command: { isShell: true, words }, buildKitFlag: '' })
})

test('one with other words is the shell’s to read', () => {
  const run = only('RUN cat <<A - 3<<"B" > /x\r\na\r\nA\r\nb\nB\n')
  assert.ok(run.name === 'RUN')
  assert.deepEqual(run.command.words, ['cat <<A - 3<<"B" > /x\na\r\nA\nb\nB'])
})

test('one that names its interpreter is a program', () => {
  const run = only('RUN <<script\n#!/bin/awk -f\nBEGIN {}\nscript')
  assert.ok(run.name === 'RUN')
  assert.deepEqual(run.command, { isShell: false, words: ['/dev/pipes/script'] })
  assert.equal(run.script?.content, '#!/bin/awk -f\nBEGIN {}\n')
})

test('files of a COPY, with variables unless their name is quoted', () => {
  const copy = only("COPY --chown=1 f <<a <<'b' /d/\n1\na\n2\nb\n")
  assert.ok(copy.name === 'COPY')
  assert.deepEqual([copy.sources, copy.destination], [['f'], '/d/'])
  assert.deepEqual(copy.documents, [
    { name: 'a', content: '1\n', isExpanded: true },
    { name: 'b', content: '2\n', isExpanded: false },
  ])
  const env = new Map([['A', '1']])
  assert.equal(expandDocument('"$A" \'${A}\' \\$A', env), '"1" \'1\' $A')
})

test('a trigger has its documents with it', () => {
  const trigger = only('ONBUILD COPY <<EOF /x\na\nEOF')
  assert.ok(trigger.name === 'ONBUILD')
  assert.equal(trigger.value, 'COPY <<EOF /x\na\nEOF')
})

test('one without an end is refused', () => {
  assert.throws(() => only('RUN <<EOF\na\n'), /line 2: unterminated heredoc/)
})
