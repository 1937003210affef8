import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { applyChanges } from './changes.ts'

const CASES: [string[], object][] = [
  [['CMD ["a", "b c"]'], { Cmd: ['a', 'b c'] }],
  [['CMD a b'], { Cmd: ['/bin/sh', '-c', 'a b'] }],
  [['cmd []'], {}],
  [['CMD [not json'], { Cmd: ['/bin/sh', '-c', '[not json'] }],
  [
    ['SHELL ["/bin/bash", "-c"]', 'CMD x'],
    { Shell: ['/bin/bash', '-c'], Cmd: ['/bin/bash', '-c', 'x'] },
  ],
  [['ENV A=1 B="two words" C=a\\ b'], { Env: ['A=1', 'B=two words', 'C=a b'] }],
  [['ENV A the rest  of it'], { Env: ['A=the rest  of it'] }],
  [['ENV A=1', 'ENV A=2'], { Env: ['A=2'] }],
  [
    ['ENV A=1', 'ENV B=$A-${A}-${X:-none}-${A:+set}', "ENV C='$A'"],
    { Env: ['A=1', 'B=1-1-none-set', 'C=$A'] },
  ],
  [
    ['EXPOSE 80 53/udp 8000-8001'],
    { ExposedPorts: { '80/tcp': {}, '53/udp': {}, '8000/tcp': {}, '8001/tcp': {} } },
  ],
  [['LABEL a=1 "b c"="d e"'], { Labels: { a: '1', 'b c': 'd e' } }],
  [['LABEL __proto__=x'], { Labels: Object.fromEntries([['__proto__', 'x']]) }],
  [['USER me'], { User: 'me' }],
  [
    ['VOLUME ["/a", "/b"]', 'VOLUME /c /d'],
    { Volumes: { '/a': {}, '/b': {}, '/c': {}, '/d': {} } },
  ],
  [['WORKDIR /a', 'WORKDIR b/../c'], { WorkingDir: '/a/c' }],
  [['STOPSIGNAL SIGQUIT'], { StopSignal: 'SIGQUIT' }],
  [['ONBUILD RUN x'], { OnBuild: ['RUN x'] }],
  [['HEALTHCHECK NONE'], { Healthcheck: { Test: ['NONE'] } }],
  [
    ['HEALTHCHECK --interval=5s --timeout=1m30s --retries=3 CMD curl x'],
    { Healthcheck: { Test: ['CMD-SHELL', 'curl x'], Interval: 5e9, Timeout: 90e9, Retries: 3 } },
  ],
  [['HEALTHCHECK CMD ["a"]'], { Healthcheck: { Test: ['CMD', 'a'] } }],
  [['# a comment', '', 'USER a\nWORKDIR /b'], { User: 'a', WorkingDir: '/b' }],
  [['ENV A=1 \\\n B=2'], { Env: ['A=1', 'B=2'] }],
]

const REFUSED: [string, RegExp][] = [
  ['RUN x', /^RUN is not a valid change command$/],
  ['constructor x', /^constructor is not a valid change command$/],
  ['ENV', /ENV requires at least one argument/],
  ['ENV A', /ENV must have two arguments/],
  ['ENV A=1 B', /can't find = in "B"/],
  ['ENV =x', /ENV names can not be blank/],
  ['ENV A="x', /matching quote/],
  ['ENV A=${X', /substitution/],
  ['EXPOSE', /EXPOSE requires at least one argument/],
  ['EXPOSE 0', /invalid containerPort: 0/],
  ['EXPOSE 80/xyz', /invalid proto: xyz/],
  ['EXPOSE 90-80', /invalid containerPort/],
  ['STOPSIGNAL nope', /Invalid signal: nope/],
  ['SHELL /bin/sh', /SHELL requires the arguments to be in JSON form/],
  ['HEALTHCHECK X', /Unknown type "X" in HEALTHCHECK/],
  ['HEALTHCHECK CMD', /Missing command/],
  ['HEALTHCHECK --interval=x CMD y', /invalid duration/],
  ['ONBUILD ONBUILD RUN x', /Chaining ONBUILD/],
  ['ONBUILD FROM x', /isn't allowed as an ONBUILD trigger/],
  ['VOLUME', /VOLUME requires at least one argument/],
  ['USER', /USER requires exactly one argument/],
]

describe('applyChanges', () => {
  for (const [changes, expected] of CASES) {
    it(`applies ${changes.join(' · ')}`, () => {
      assert.deepEqual(applyChanges({}, changes), expected)
    })
  }

  for (const [change, message] of REFUSED) {
    it(`refuses ${change}`, () => {
      assert.throws(() => applyChanges({}, [change]), { code: 'INVALID_ARGUMENT', message })
    })
  }

  it('a new entrypoint drops the old command, unless there is a new one too', () => {
    const config = { Cmd: ['old'], Entrypoint: ['old'] }
    assert.deepEqual(applyChanges(config, ['ENTRYPOINT ["e"]']), { Entrypoint: ['e'] })
    assert.deepEqual(applyChanges(config, ['CMD ["c"]', 'ENTRYPOINT ["e"]']), {
      Cmd: ['c'],
      Entrypoint: ['e'],
    })
    assert.deepEqual(config, { Cmd: ['old'], Entrypoint: ['old'] })
  })
})
