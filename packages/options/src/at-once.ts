import type { ContainerCreate, ExecConfig } from '@ctr/api'

/** Whether one request can do it. A terminal has a size and keys that detach, and without output there is nothing to attach to. */
export function canRunAtOnce(body: ContainerCreate, isDetached: boolean): boolean {
  const isAttached = body.AttachStdout === true || body.AttachStderr === true
  return !isDetached && isAttached && body.Tty !== true
}

/** As `canRunAtOnce`; and a stream whose input has ended cannot tell that the client of an exec that is held has died. */
export function canExecAtOnce({ Detach, Tty, AttachStdin }: ExecConfig, isHeld: boolean): boolean {
  return Detach !== true && Tty !== true && !(isHeld && AttachStdin === true)
}
