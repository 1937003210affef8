import type { Command } from '../command.ts'

type Load = () => Promise<{ readonly command: Command }>

/** Commands whose start is felt most: they are found without the table of all, which takes 0.8 ms of the others' start. */
export const QUICK = {
  exec: () => import('./exec.ts'),
  ps: () => import('./ps.ts'),
  run: () => import('./run.ts'),
  version: () => import('./version.ts'),
} as const satisfies Readonly<Record<string, Load>>

export function quickCommand(name: string): Load | undefined {
  return Object.hasOwn(QUICK, name) ? QUICK[name as keyof typeof QUICK] : undefined
}
