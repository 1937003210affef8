import { EngineError } from '@ctr/errdefs'
import type { ContainerContexts } from '@ctr/linux'

/** SELinux labels of a container; empty: none. */
export interface Labels {
  readonly process: string
  readonly mount: string
}

export const NO_LABELS: Labels = { process: '', mount: '' }

type Categories = readonly [number, number]

const CATEGORIES = 1024
/** Of what is mounted for containers without a label of their own, which may reach everything. */
const PRIVILEGED: Categories = [CATEGORIES - 2, CATEGORIES - 1]

/**
 * `label=` words of --security-opt on the host's labels for containers, with two categories that no other container has.
 * INVALID_ARGUMENT. go-selinux label.InitLabels
 */
export function planLabels(
  contexts: ContainerContexts,
  options: readonly string[],
  categories: Categories,
): Labels {
  const process = parseContext(contexts.process)
  const mount = parseContext(contexts.file)
  if (process.level !== '') {
    process.level = levelOf(categories)
    mount.level = process.level
  }
  for (const option of options) {
    if (option === 'disable') {
      const level = mount.level === '' ? '' : levelOf(PRIVILEGED)
      return { process: '', mount: formatContext({ ...mount, level }) }
    }
    const [, key = '', value = ''] = /^([^:]*):(.*)$/s.exec(option) ?? []
    switch (key) {
      case 'filetype':
        mount.type = value
        break
      case 'user':
      case 'level':
        process[key] = value
        mount[key] = value
        break
      case 'role':
      case 'type':
        process[key] = value
        break
      default:
        throw new EngineError(
          'INVALID_ARGUMENT',
          `bad label option "${option}", valid options 'disable, user, role, level, type, filetype'`,
        )
    }
  }
  return { process: formatContext(process), mount: formatContext(mount) }
}

/** What `z` makes of a label: all containers may. */
export function sharedLabel(label: string): string {
  const context = parseContext(label)
  return formatContext({ ...context, level: context.level === '' ? '' : 's0' })
}

/** Two different ones, the smaller first, by the id alone: nothing has to be kept. */
export function categoriesOf(containerId: string): Categories {
  const first = Number.parseInt(containerId.slice(0, 8), 16) % CATEGORIES
  const distance = 1 + (Number.parseInt(containerId.slice(8, 16), 16) % (CATEGORIES - 1))
  const second = (first + distance) % CATEGORIES
  const [low, high] = first < second ? [first, second] : [second, first]
  return low === PRIVILEGED[0] && high === PRIVILEGED[1] ? [0, high] : [low, high]
}

function levelOf([low, high]: Categories): string {
  return `s0:c${low},c${high}`
}

interface Context {
  user: string
  role: string
  type: string
  /** May have colons; empty without MLS. */
  level: string
}

function parseContext(text: string): Context {
  const [user = '', role = '', type = '', ...level] = text.split(':')
  return { user, role, type, level: level.join(':') }
}

function formatContext({ user, role, type, level }: Context): string {
  return [user, role, type, ...(level === '' ? [] : [level])].join(':')
}

/** Whoever relabels these breaks the host. go-selinux label.Relabel */
const EXCLUDED = new Set(
  `/ /bin /boot /dev /etc /etc/passwd /etc/pki /etc/shadow /home /lib /lib64 /media /opt /proc /root /run /sbin /srv
   /sys /tmp /usr /var /var/lib /var/log`.split(/\s+/),
)

/** The label for the source of a mount with these option words; undefined: it keeps its own. INVALID_ARGUMENT. */
export function relabelTo(mode: string, source: string, labels: Labels): string | undefined {
  const word = mode.split(',').find((one) => one === 'z' || one === 'Z')
  if (word === undefined || labels.mount === '') return undefined
  if (EXCLUDED.has(source)) {
    throw new EngineError('INVALID_ARGUMENT', `SELinux relabeling of ${source} is not allowed`)
  }
  return word === 'z' ? sharedLabel(labels.mount) : labels.mount
}
