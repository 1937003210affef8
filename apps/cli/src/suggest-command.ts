import { nearest } from '@ctr/options'
import { COMMANDS, type Group } from './commands/index.ts'

/** Of docker, and none of ours (SCOPE.md): what does the same here. */
const INSTEAD: Readonly<Record<string, string>> = {
  buildx:
    'There is no BuildKit: ctr build, or bring an image: docker buildx build -t NAME -o type=docker,dest=- . | ctr load',
  compose: 'Compose works with ctrd: DOCKER_HOST=unix:///var/run/ctr.sock docker compose ...',
  swarm: 'ctr runs containers on one machine: there is no swarm.',
}

/** A paragraph with the command that was probably meant, or nothing. */
export function suggestCommand(group: Group | undefined, path: string, name: string): string {
  const instead = group === undefined && Object.hasOwn(INSTEAD, name) ? INSTEAD[name] : undefined
  if (instead !== undefined) return `${instead}\n\n`
  const found = nearest(name, Object.keys(group?.children ?? COMMANDS))
  return found === undefined ? '' : `Did you mean '${path} ${found}'?\n\n`
}
