import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { isErrno } from '@ctr/errdefs'
import { isExt4WithoutJournal, spreadDirectories } from '@ctr/linux'

/** More than a minute's worth of directories at full speed, and few block groups of a disk of some size. */
const PLACES = 64

/**
 * Where directories begin that will be renamed. An ext4 without a journal looks at all inodes of a block group that were
 * removed lately, for each file that is made in it: there it is another group each time, elsewhere always `tmp`. docs/decisions/0035
 */
export class SpreadPlaces {
  readonly #tmp: string
  /** ext4 begins with a hash of the name: those of the daemon before must not be found again. */
  readonly #name = randomBytes(4).toString('hex')
  #turn = 0
  #isSpread: boolean | undefined

  constructor(tmp: string) {
    this.#tmp = tmp
  }

  /** A directory that exists, if `tmp` does. */
  next(): string {
    const parent = join(this.#tmp, 'spread')
    this.#isSpread ??= this.#canSpread(parent)
    if (!this.#isSpread) return this.#tmp
    const place = join(parent, `${this.#name}-${this.#turn % PLACES}`)
    this.#turn += 1
    try {
      mkdirSync(place, { mode: 0o700 })
    } catch (err) {
      // Of a disk that is full, say: whoever makes something in tmp/ will be told.
      if (!isErrno(err, 'EEXIST')) return this.#tmp
    }
    return place
  }

  #canSpread(parent: string): boolean {
    try {
      if (!isExt4WithoutJournal(this.#tmp)) return false
      mkdirSync(parent, { recursive: true, mode: 0o700 })
      spreadDirectories(parent)
      return true
    } catch {
      // It is only about speed.
      return false
    }
  }
}
