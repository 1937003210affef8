import { EngineError } from '@ctr/errdefs'
import type Database from 'better-sqlite3'
import { migration001 } from './migrations/001-containers.ts'
import { migration002 } from './migrations/002-images.ts'
import { migration003 } from './migrations/003-networks.ts'
import { migration004 } from './migrations/004-names.ts'
import { migration005 } from './migrations/005-health.ts'
import { migration006 } from './migrations/006-secrets.ts'
import { migration007 } from './migrations/007-user-namespaces.ts'
import { migration008 } from './migrations/008-checkpointed.ts'
import { migration009 } from './migrations/009-unsynced-layers.ts'
import { migration010 } from './migrations/010-fewer-indexes.ts'
import { migration011 } from './migrations/011-held-in-memory.ts'
import { migration012 } from './migrations/012-network-configurations.ts'
import { migration013 } from './migrations/013-execs-by-number.ts'
import { migration014 } from './migrations/014-start-pending.ts'
import { migration015 } from './migrations/015-removals.ts'
import { migration016 } from './migrations/016-network-drivers.ts'
import { migration017 } from './migrations/017-builds.ts'

/** In order; a migration that has landed is never edited, a change is a new file. */
const MIGRATIONS: readonly string[] = [
  migration001,
  migration002,
  migration003,
  migration004,
  migration005,
  migration006,
  migration007,
  migration008,
  migration009,
  migration010,
  migration011,
  migration012,
  migration013,
  migration014,
  migration015,
  migration016,
  migration017,
]

/** No migration has run, or what they have written is lost. */
export function isEmpty(db: Database.Database): boolean {
  return db.pragma('user_version', { simple: true }) === 0
}

/** Brings `db` to the newest schema, or to that of `version`; `user_version` counts the migrations that have run. */
export function migrate(db: Database.Database, version = MIGRATIONS.length): void {
  const current = Number(db.pragma('user_version', { simple: true }))
  if (current > MIGRATIONS.length) {
    throw new EngineError(
      'INTERNAL',
      `the database has schema ${current}, this ctrd knows ${MIGRATIONS.length}: start a newer ctrd`,
    )
  }
  for (const [index, sql] of MIGRATIONS.entries()) {
    if (index < current || index >= version) continue
    db.transaction(() => {
      db.exec(sql)
      db.pragma(`user_version = ${index + 1}`)
    }).immediate()
  }
}
