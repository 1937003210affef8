import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { resolveUser } from './user.ts'

const PASSWD = `root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
# a comment

broken
big:x:4294967296:0::/home/big:/bin/sh
1000:x:5:6:named like a number:/home/n:/bin/sh
`
const GROUP = `root:x:0:
daemon:x:1:
wheel:x:10:root,daemon
lp:x:7:
`

const resolve = (user: string, groupAdd: string[] = []): unknown[] => {
  const { uid, gid, additionalGids, home } = resolveUser(user, groupAdd, PASSWD, GROUP)
  return [uid, gid, additionalGids, home]
}

describe('users', () => {
  test('all forms of user and group', () => {
    assert.deepEqual(resolve(''), [0, 0, [0, 10], '/root'])
    assert.deepEqual(resolve('root'), [0, 0, [0, 10], '/root'])
    assert.deepEqual(resolve('daemon'), [1, 1, [1, 10], '/usr/sbin'])
    assert.deepEqual(resolve('1'), [1, 1, [1, 10], '/usr/sbin'])
    assert.deepEqual(resolve('77'), [77, 0, [0], '/'])
    assert.deepEqual(resolve('root:lp'), [0, 7, [7], '/root'])
    assert.deepEqual(resolve('77:88'), [77, 88, [88], '/'])
    assert.deepEqual(resolve('1000'), [5, 6, [6], '/home/n'])
  })

  test('--group-add by name and number, each once', () => {
    assert.deepEqual(resolve('77', ['lp', '4242', 'lp']), [77, 0, [0, 7, 4242], '/'])
  })

  test('what follows the first colon is the group', () => {
    assert.throws(() => resolve('1:2:3'), {
      message: 'unable to find group 2:3: no matching entries in group file',
    })
  })

  test('unknown names and numbers out of range are refused', () => {
    assert.throws(() => resolve('nosuch'), /unable to find user nosuch: no matching entries/)
    assert.throws(() => resolve('root:nosuch'), /unable to find group nosuch: no matching/)
    for (const user of ['-1', '2147483648', '99999999999', 'big', '0:2147483648', '0:-5']) {
      assert.throws(() => resolve(user), /uids and gids must be in range 0-2147483647/, user)
    }
  })

  test('without files numbers work', () => {
    assert.deepEqual(resolveUser('5:6', [], '', ''), {
      uid: 5,
      gid: 6,
      additionalGids: [6],
      home: '/',
    })
    assert.throws(() => resolveUser('root', [], '', ''), /unable to find user root/)
  })
})
