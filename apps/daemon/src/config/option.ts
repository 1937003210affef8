/** How an option is written as a flag and in the file. */
type OptionKind =
  | 'string'
  | 'boolean'
  | 'integer'
  | 'list'
  | 'map'
  /** `base=10.0.0.0/8,size=24`, repeated; `[{"base":…,"size":…}]`. */
  | 'pools'
  /** `driver=option=value`, repeated; `{"driver":{"option":"value"}}`. */
  | 'nested'
  | 'any'

export interface Option {
  /** Key in the configuration file (daemon.json's name). */
  readonly key: string
  readonly kind: OptionKind
  /** Flag without dashes; absent: only in the file. */
  readonly flag?: string
  readonly short?: string
  /** For `--help`; absent: accepted for compatibility and without effect here (a warning says so). */
  readonly help?: string
  /** Of what has no effect: the reason. */
  readonly why?: string
  /** SIGHUP is enough to change it; also for what has no effect. */
  readonly isReloadable?: true
}

export type OptionValue =
  | string
  | number
  | boolean
  | readonly string[]
  | readonly Readonly<Record<string, unknown>>[]
  | Readonly<Record<string, unknown>>

/** Values by key, of one source. */
export type OptionValues = ReadonlyMap<string, OptionValue>
