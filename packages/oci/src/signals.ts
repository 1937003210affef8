/** Signal numbers of x86 and ARM (generic). signal(7) */
const SIGNALS = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGTRAP: 5,
  SIGABRT: 6,
  SIGBUS: 7,
  SIGFPE: 8,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGSEGV: 11,
  SIGUSR2: 12,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
  SIGSTKFLT: 16,
  SIGCHLD: 17,
  SIGCONT: 18,
  SIGSTOP: 19,
  SIGTSTP: 20,
  SIGTTIN: 21,
  SIGTTOU: 22,
  SIGURG: 23,
  SIGXCPU: 24,
  SIGXFSZ: 25,
  SIGVTALRM: 26,
  SIGPROF: 27,
  SIGWINCH: 28,
  SIGIO: 29,
  SIGPWR: 30,
  SIGSYS: 31,
} as const
const ALIASES: Readonly<Record<string, number>> = {
  SIGIOT: 6,
  SIGCLD: 17,
  SIGPOLL: 29,
  SIGUNUSED: 31,
}

/** First and last real-time signal that glibc leaves to programs. */
const SIGRTMIN = 34
const SIGRTMAX = 64

/** Number of a signal: `SIGKILL`, `kill`, `9`, `SIGRTMIN+3`, `RTMAX-1`. Undefined if there is no such signal. */
export function parseSignal(text: string): number | undefined {
  if (/^\d{1,2}$/.test(text)) {
    const number = Number(text)
    return number >= 1 && number <= SIGRTMAX ? number : undefined
  }
  const upper = text.toUpperCase()
  const name = upper.startsWith('SIG') ? upper : `SIG${upper}`
  const realtime = /^SIGRT(?:(MIN)(?:\+(\d{1,2}))?|(MAX)(?:-(\d{1,2}))?)$/.exec(name)
  if (realtime !== null) {
    const number =
      realtime[1] === 'MIN'
        ? SIGRTMIN + Number(realtime[2] ?? 0)
        : SIGRTMAX - Number(realtime[4] ?? 0)
    return number >= SIGRTMIN && number <= SIGRTMAX ? number : undefined
  }
  return Object.hasOwn(SIGNALS, name) ? SIGNALS[name as keyof typeof SIGNALS] : ALIASES[name]
}

/** `SIGTERM` for 15, `SIGRTMIN+1` for 35; the number as text if it has no name. */
export function signalName(number: number): string {
  const found = Object.entries(SIGNALS).find(([, value]) => value === number)
  if (found !== undefined) return found[0]
  if (number < SIGRTMIN || number > SIGRTMAX) return String(number)
  return number === SIGRTMIN ? 'SIGRTMIN' : `SIGRTMIN+${number - SIGRTMIN}`
}
