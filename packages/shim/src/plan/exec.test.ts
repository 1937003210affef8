import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileExec } from './exec.ts'
import { explainProgram } from './explain.ts'
import { input, spec, v2 } from './plan-fixture.ts'

test('an exec enters the container and then goes the same way', () => {
  const own = spec()
  assert.ok(own.process)
  const { containerId, cgroupParent, runtimeDir, stdio, expectAttach, seccompFilter } = input()
  const program = compileExec(
    {
      containerId,
      cgroupParent,
      runtimeDir,
      stdio,
      expectAttach,
      seccompFilter,
      containerPid: 7,
      containerStartTime: 99n,
      spec: own,
      process: { ...own.process, args: ['id'], user: { uid: 1, gid: 2, additionalGids: [2, 3] } },
    },
    v2,
  )
  assert.equal(
    explainProgram(program),
    ` 1 host  runtime_dir("/run/ctr/c/abc")
 2 host  stdio(0, 1, 2, 0, 0)
 3 host  join(7, 99)
 4 host  clone(0, "/sys/fs/cgroup/ctr/abc")
 5 child keyring?("_ses.abc")
 6 child enter(CLONE_NEWNS|CLONE_NEWCGROUP|CLONE_NEWUTS|CLONE_NEWIPC|CLONE_NEWNET)
 7 child setsid()
 8 child umask(022)
 9 child chdir("/work")
10 child seccomp(2 instructions, 0x0)
11 child bounding(0xa80425fb)
12 child user(uid 1, gid 2, groups [2, 3])
13 child capabilities(effective 0xa80425fb, permitted 0xa80425fb, inheritable 0x0, ambient 0x0)
14 child exec(["id"], ["PATH=/bin"])
`,
  )
})
