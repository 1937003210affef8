import type { Command } from '../command.ts'

/** Loaded when used: a command pays for nothing but itself. */
export const COMMANDS: Readonly<Record<string, () => Promise<{ readonly command: Command }>>> = {
  checkpoint: () => import('./checkpoint.ts'),
  create: () => import('./create.ts'),
  delete: () => import('./delete.ts'),
  events: () => import('./events.ts'),
  exec: () => import('./exec.ts'),
  features: () => import('./features.ts'),
  kill: () => import('./kill.ts'),
  list: () => import('./list.ts'),
  pause: () => import('./pause.ts'),
  ps: () => import('./ps.ts'),
  restore: () => import('./restore.ts'),
  resume: () => import('./resume.ts'),
  run: () => import('./run.ts'),
  spec: () => import('./spec.ts'),
  start: () => import('./start.ts'),
  state: () => import('./state.ts'),
  update: () => import('./update.ts'),
}
