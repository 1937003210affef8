import assert from 'node:assert/strict'

/** For what tells nobody when it happens: a file of the kernel, the end of somebody else's process. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 120_000,
): Promise<void> {
  for (const deadline = Date.now() + timeoutMs; !(await condition()); ) {
    assert.ok(Date.now() < deadline, 'condition did not come true')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
