/**
 * The test kit: the only way for a test to get a daemon. It starts ctrd as a process and talks to it as users do;
 * it imports no engine code on purpose.
 */
export type { ApiResponse } from './api.ts'
export { apiRequest, hijack } from './api.ts'
export { findTestCriu, NO_CRIU } from './criu.ts'
export { startDaemon } from './daemon.ts'
export { freePort } from './free-port.ts'
export type { ImageFile, ImageOptions } from './image.ts'
export { busyboxArchive, imageArchive, tarArchive } from './image.ts'
export type { LeakMarks } from './leaks.ts'
export type { RegistryOptions, TestRegistry } from './registry.ts'
export { startRegistry } from './registry.ts'
export type { Requirements } from './requires.ts'
export { requires } from './requires.ts'
export type { RunOptions, RunResult } from './run.ts'
export { run } from './run.ts'
export { Session } from './session.ts'
export { socketPair, unixSocketPair } from './socket-pair.ts'
export type { DaemonOptions, TestDaemon } from './test-daemon.ts'
export { waitFor } from './wait-for.ts'
