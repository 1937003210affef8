import { Readable } from 'node:stream'
import type { PathStat } from '@ctr/api'
import { EngineError } from '@ctr/errdefs'
import type { Engine } from '../engine.ts'
import type { PackJob } from './pack.ts'
import type { View } from './view.ts'
import type { Job } from './worker/pool.ts'

/** Begins to pack; takes the view over and lets go of it when the stream has ended or was destroyed. */
export async function archiveStream(
  engine: Pick<Engine, 'filesystem'>,
  view: View,
  job: PackJob,
): Promise<{ stat: PathStat; stream: Readable }> {
  await using stack = new AsyncDisposableStack()
  stack.use(view)
  const running = stack.use(engine.filesystem.threads.start({ kind: 'pack', ...job }))
  // The stat comes first, or the reason why there is nothing to pack.
  const first = await running.next()
  if (first.type !== 'stat') throw new EngineError('INTERNAL', `no stat of ${job.path}`)
  const owned = stack.move()
  const stream = new Readable({
    read() {
      void pushNext(this, running)
    },
    destroy(error, done) {
      owned.disposeAsync().then(
        () => done(error),
        (failure: unknown) => done(error ?? (failure as Error)),
      )
    },
  })
  return { stat: first.stat, stream }
}

async function pushNext(stream: Readable, job: Job): Promise<void> {
  try {
    const reply = await job.next()
    if (reply.type === 'chunk') stream.push(reply.chunk)
    else if (reply.type === 'done') stream.push(null)
  } catch (error) {
    stream.destroy(error as Error)
  }
}
