import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseDockerfile, stagesUpTo } from './stages.ts'

function parse(text: string) {
  return parseDockerfile(text).stages.flatMap(({ from, steps }) => [from, ...steps])
}

function only(line: string) {
  const step = parse(`FROM x\n${line}`)[1]
  assert.ok(step !== undefined)
  return step.instruction
}

test('lines go on behind a backslash, past comments and empty lines', () => {
  const { stages, warnings } = parseDockerfile('FROM x\nRUN a \\\n  # no\n  b \\\n\n  c\n')
  assert.equal(stages[0]?.steps[0]?.text, 'RUN a   b   c')
  assert.match(warnings.join('\n'), /Empty continuation line found in:\n {4}RUN a {3}b {3}c/)
})

test('the escape directive counts only before everything else', () => {
  assert.equal(parseDockerfile('# escape=`\nFROM x\nRUN a `\nb').escape, '`')
  assert.equal(parseDockerfile('# syntax=x\n# Escape = `\nFROM x').escape, '`')
  assert.equal(parseDockerfile('# a comment\n# escape=`\nFROM x').escape, '\\')
  assert.throws(
    () => parseDockerfile('# escape=x\nFROM x'),
    /failed to parse Dockerfile: invalid escape token 'x' does not match ` or \\/,
  )
})

test('commands are of the shell unless they are JSON', () => {
  const command = (line: string) => {
    const instruction = only(line)
    return 'command' in instruction ? instruction.command : undefined
  }
  assert.deepEqual(command('RUN a "b'), { isShell: true, words: ['a "b'] })
  assert.deepEqual(command('CMD ["a", "b c"]'), { isShell: false, words: ['a', 'b c'] })
  assert.deepEqual(command('CMD ["a"] && b'), { isShell: false, words: ['a'] })
  assert.deepEqual(command('CMD [a]'), { isShell: true, words: ['[a]'] })
  assert.deepEqual(command('ENTRYPOINT []'), { isShell: false, words: [] })
})

test('ENV and LABEL take pairs, or one name and the rest of the line', () => {
  assert.deepEqual(only('ENV a=1 b="2 3" c=4\\ 5'), {
    name: 'ENV',
    pairs: [
      { key: 'a', value: '1' },
      { key: 'b', value: '"2 3"' },
      { key: 'c', value: '4\\ 5' },
    ],
  })
  assert.deepEqual(only('ENV a b  c'), { name: 'ENV', pairs: [{ key: 'a', value: 'b  c' }] })
})

test('stages have names and numbers', () => {
  const { stages } = parseDockerfile('FROM a AS One\nFROM b\nFROM c AS three')
  assert.equal(stagesUpTo(stages, 'ONE').length, 1)
  assert.equal(stagesUpTo(stages, '1').length, 2)
  assert.equal(stagesUpTo(stages, '').length, 3)
  assert.throws(() => stagesUpTo(stages, 'four'), /failed to reach build target four/)
})

const WRONG: readonly [text: string, message: RegExp][] = [
  ['', /file with no instructions/],
  ['RUN x', /no build stage in current context/],
  ['FROM x\nFOO', /^EngineError: dockerfile parse error line 2: unknown instruction: FOO$/],
  ['FROM x\n\nUSER', /line 3: USER requires exactly one argument/],
  ['FROM x y', /FROM requires either one or three arguments/],
  ['FROM x\nCOPY a', /COPY requires at least two arguments/],
  ['FROM x\nCOPY --from a b', /Missing a value on flag: from/],
  ['FROM x\nCOPY --from=a --from=b c d', /Duplicate flag specified: from/],
  ['FROM x\nENV a=1 b', /failed to parse Dockerfile: Syntax error - can't find = in "b"/],
  ['FROM x\nENV =1', /ENV names can not be blank/],
  ['FROM x\nHEALTHCHECK --retries=0 CMD a', /--retries must be at least 1 \(not 0\)/],
  ['FROM x\nHEALTHCHECK --interval=1us CMD a', /cannot be less than 1ms/],
  ['FROM x\nHEALTHCHECK CMD', /Missing command after HEALTHCHECK CMD/],
  ['FROM x\nONBUILD onbuild RUN x', /Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed/],
  [`FROM x\nRUN ${'x'.repeat(70_000)}`, /greater than maximum allowed size of 65535/],
]
for (const [text, message] of WRONG) {
  test(`refuses ${JSON.stringify(text.slice(0, 60))}`, () => {
    assert.throws(() => parseDockerfile(text), message)
  })
}
