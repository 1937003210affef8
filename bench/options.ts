import { parseArgs } from 'node:util'

export interface Options {
  readonly runs: number
  readonly suites: readonly string[]
  readonly engines: readonly string[]
  /** How many idle containers, in turn. */
  readonly idle: readonly number[]
  /** A file for every row. */
  readonly json: string | undefined
}

const SUITES = 'run,version,exec,api,calls,stop,logs,images,inside,idle'
/** The bare runtimes take part in any case. */
const ENGINES = 'ctr,docker,podman,runc,crun'

/** Throws with what is wrong, before anything is made. */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      runs: { type: 'string', default: '15' },
      suites: { type: 'string', default: SUITES },
      engines: { type: 'string', default: ENGINES },
      idle: { type: 'string', default: '50,200,500' },
      json: { type: 'string' },
    },
  })
  return {
    runs: count('runs', values.runs),
    suites: namesOf('suites', values.suites, SUITES),
    engines: namesOf('engines', values.engines, ENGINES),
    idle: values.idle.split(',').map((text) => count('idle', text)),
    json: values.json,
  }
}

function namesOf(option: string, text: string, known: string): string[] {
  const names = text.split(',')
  const wrong = names.find((name) => !known.split(',').includes(name))
  if (wrong === undefined) return names
  throw new Error(`--${option}: there is no "${wrong}", but ${known}`)
}

function count(option: string, text: string): number {
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text)
  throw new Error(`--${option}: "${text}" is no number from 1 to 99999`)
}
