import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { readContainerContexts } from './selinux.ts'

test('the labels for containers are those of the policy in use', () => {
  const directory = mkdtempSync(join(tmpdir(), 'ctr-selinux-'))
  try {
    assert.equal(readContainerContexts(directory), undefined)
    writeFileSync(
      join(directory, 'config'),
      '# SELINUXTYPE=odd\nSELINUX=enforcing\nSELINUXTYPE=mls\n',
    )
    assert.equal(readContainerContexts(directory), undefined)
    mkdirSync(join(directory, 'mls/contexts'), { recursive: true })
    writeFileSync(
      join(directory, 'mls/contexts/lxc_contexts'),
      'process = "system_u:system_r:container_t:s0"\n# file = "no"\nfile = "system_u:object_r:container_file_t:s0"\n',
    )
    assert.deepEqual(readContainerContexts(directory), {
      process: 'system_u:system_r:container_t:s0',
      file: 'system_u:object_r:container_file_t:s0',
    })
  } finally {
    rmSync(directory, { recursive: true })
  }
})
