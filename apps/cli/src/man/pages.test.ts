import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { allPages } from './pages.ts'

const pages = new Map((await allPages()).map(({ file, text }) => [file, text]))

describe('manual pages', () => {
  it('are there for every command and group, hidden ones left out', () => {
    for (const file of [
      'ctr.1',
      'ctr-run.1',
      'ctr-container.1',
      'ctr-container-rm.1',
      'ctr-context-use.1',
    ]) {
      assert.ok(pages.has(file), file)
    }
    assert.deepEqual(
      [...pages.keys()].filter((file) => file.includes('__')),
      [],
    )
  })

  it('tell what the table of options tells', () => {
    const run = pages.get('ctr-run.1') ?? ''
    assert.match(run, /^\.TH CTR-RUN 1/)
    assert.match(run, /\.TP\n\\fB\\-m\\fR, \\fB\\-\\-memory\\fR=\\fIbytes\\fR\nMemory limit/)
    assert.match(run, /\.SH EXIT STATUS/)
    assert.doesNotMatch(run, /\\-\\-net\\fR/) // an alias
  })

  it('have no line that groff would take for a request by mistake', () => {
    const known = /^\.(TH|SH|TP|PP|RS|RE|B|BR|br|nf|fi)( |$)/
    for (const [file, text] of pages) {
      for (const line of text.split('\n')) {
        if (/^[.']/.test(line)) assert.match(line, known, file)
      }
    }
  })
})
