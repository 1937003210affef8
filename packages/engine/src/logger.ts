/** The part of pino that the engine uses. Passed in with its bindings, never imported. */
export interface Logger {
  debug(bindings: object, message: string): void
  info(bindings: object, message: string): void
  warn(bindings: object, message: string): void
  error(bindings: object, message: string): void
  child(bindings: Record<string, unknown>): Logger
}

/** For tests and tools. */
export const SILENT: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => SILENT,
}
