/** Which every build has, declared or not; neither in the history nor in the cache. */
const PREDEFINED = ['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'NO_PROXY', 'ALL_PROXY'].flatMap(
  (name) => [name, name.toLowerCase()],
)

/** Values of ARG: of the request, else those that the file gives. */
export class BuildArgs {
  readonly #given: ReadonlyMap<string, string>
  /** Before the first FROM. */
  readonly #meta = new Map<string, string | undefined>()
  /** Of the present stage. */
  readonly #declared = new Map<string, string | undefined>()
  readonly #everDeclared = new Set<string>()

  constructor(given: ReadonlyMap<string, string>) {
    this.#given = given
  }

  declareMeta(key: string, value: string | undefined): void {
    this.#meta.set(key, value)
    this.#everDeclared.add(key)
  }

  declare(key: string, value: string | undefined): void {
    this.#declared.set(key, value)
    this.#everDeclared.add(key)
  }

  /** A new stage knows none. */
  endStage(): void {
    this.#declared.clear()
  }

  /** What FROM can use. */
  metaValues(): Map<string, string> {
    return this.#valuesOf(this.#meta)
  }

  /** What the present stage can use, less what ENV has set. */
  values(env: ReadonlyMap<string, string>): Map<string, string> {
    const values = this.#valuesOf(this.#declared)
    for (const key of env.keys()) values.delete(key)
    return values
  }

  /** A proxy is part of the image's making only if the file names it. */
  isRecorded(key: string): boolean {
    return this.#everDeclared.has(key) || !PREDEFINED.includes(key)
  }

  /** Given and used by nothing. */
  unused(): string[] {
    return [...this.#given.keys()]
      .filter((key) => !this.#everDeclared.has(key) && !PREDEFINED.includes(key))
      .sort()
  }

  #valuesOf(declared: ReadonlyMap<string, string | undefined>): Map<string, string> {
    const values = new Map<string, string>()
    for (const key of new Set([...declared.keys(), ...PREDEFINED])) {
      const inFile = declared.get(key)
      const meta = declared.has(key) ? this.#meta.get(key) : undefined
      const value = this.#given.get(key) ?? inFile ?? meta
      if (value !== undefined) values.set(key, value)
    }
    return values
  }
}
