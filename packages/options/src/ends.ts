import type { WaitResponse } from '@ctr/api'

/** Exit statuses: 125 is ours, 126 and 127 are the command's (see `ctr run --help`), 1 for everything else. */
export const EXIT_USAGE = 125
const EXIT_NOT_EXECUTABLE = 126
const EXIT_NOT_FOUND = 127

/** How `ctr` ends: its exit status, and the line that it says on standard error before. */
export interface End {
  readonly status: number
  /** Without the newline; empty: nothing is said. */
  readonly text: string
}

/** Of `run` and `start -a`: the container's status, or 125 if it is not known. */
export function waitEnd({ StatusCode, Error: error }: WaitResponse): End {
  if (error === undefined || error === null || error.Message === '') {
    return { status: StatusCode, text: '' }
  }
  return { status: EXIT_USAGE, text: `Error waiting for container: ${error.Message}` }
}

/** `run` could not start what it has made; `message` is the daemon's, `commandPath` as typed: `ctr run`. */
export function runFailureEnd(message: string, commandPath: string): End {
  const text = runErrorText(daemonErrorText(message), commandPath)
  return { status: startErrorStatus(message), text }
}

export function daemonErrorText(message: string): string {
  return `Error response from daemon: ${message}`
}

/** `ctr run IMAGE -p 80:80`: Docker says no more than that there is no such program. */
const optionAsCommand = /exec: "-[^"]*": executable file not found/

export function runErrorText(message: string, commandPath: string): string {
  const hint = optionAsCommand.test(message)
    ? `\n\nOptions of '${commandPath}' go before the image; what follows it is the container's command`
    : ''
  return `ctr: ${message}${hint}\n\nRun '${commandPath} --help' for more information`
}

/** Docker's rule: the words of the daemon's message decide (docker/cli container/run.go, toStatusError). */
export function startErrorStatus(message: string): number {
  if (
    message.includes('executable file not found') ||
    message.includes('no such file or directory')
  ) {
    return EXIT_NOT_FOUND
  }
  if (message.includes('permission denied') || message.includes('is a directory')) {
    return EXIT_NOT_EXECUTABLE
  }
  return EXIT_USAGE
}
