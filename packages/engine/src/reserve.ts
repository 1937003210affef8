import { closeSync, constants, fstatSync, openSync, statfsSync } from 'node:fs'
import { preallocate } from '@ctr/linux'
import type { Logger } from './logger.ts'

/** How much the database can still grow on a full disk. */
const DATABASE_BYTES = 2 * 1024 * 1024
/** SQLite begins its write-ahead log anew at 4 MB, if nobody reads. sqlite.org/pragma.html#pragma_wal_autocheckpoint */
const LOG_BYTES = 6 * 1024 * 1024
/** What we take at most of a disk that is small or nearly full. */
const FREE_PART = 1 / 8

/**
 * Blocks behind the end of the database, so that containers can be stopped and removed when they have filled the disk: each
 * step of that is a row first. Before SQLite opens the file: closing another descriptor of it gives up SQLite's locks.
 * sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_
 */
export function reserveDatabase(path: string, log: Pick<Logger, 'warn'>): void {
  reserve(path, constants.O_CREAT, DATABASE_BYTES, log)
}

/** The same for the write-ahead log, which exists and is not locked while the database is open. */
export function reserveLog(path: string, log: Pick<Logger, 'warn'>): void {
  reserve(`${path}-wal`, 0, LOG_BYTES, log)
}

function reserve(path: string, flags: number, bytes: number, log: Pick<Logger, 'warn'>): void {
  try {
    const fd = openSync(path, constants.O_RDWR | flags, 0o600)
    try {
      const { bavail, bsize } = statfsSync(path)
      const taken = Math.min(bytes, Math.floor(bavail * FREE_PART) * bsize)
      if (taken > 0) preallocate(fd, fstatSync(fd).size + taken)
    } finally {
      closeSync(fd)
    }
  } catch (err) {
    // Some filesystems cannot: a full disk has to be emptied by other means there.
    log.warn({ err, path }, 'no room reserved for the database')
  }
}
