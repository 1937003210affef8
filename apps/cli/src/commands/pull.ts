import { familiarReference, parseReference } from '@ctr/options'
import type { Command } from '../command.ts'
import { pullWithProgress } from '../image-pull.ts'
import { printLine, writeOut } from '../output/write.ts'

export const command: Command = {
  usage: '[OPTIONS] NAME[:TAG|@DIGEST]',
  summary: 'Download an image from a registry',
  aliases: ['ctr image pull', 'ctr pull'],
  flags: [
    {
      name: 'all-tags',
      short: 'a',
      kind: 'bool',
      help: 'Download all tagged images in the repository',
    },
    {
      name: 'disable-content-trust',
      kind: 'bool',
      help: 'Accepted for compatibility',
      hidden: true,
    },
    { name: 'platform', kind: 'string', help: 'Set platform if server is multi-platform capable' },
    { name: 'quiet', short: 'q', kind: 'bool', help: 'Suppress verbose output' },
  ],
  args: { min: 1, max: 1 },
  examples: [
    { text: 'The newest', command: 'ctr pull busybox' },
    { text: 'For another machine', command: 'ctr pull --platform linux/arm64 busybox:1.36' },
  ],
  async run(context, { flags, args }) {
    const image = args[0] as string
    const { tag, digest } = parseReference(image)
    const allTags = flags.bool('all-tags')
    if (allTags && (tag !== undefined || digest !== undefined)) {
      throw new Error("tag can't be used with --all-tags/-a")
    }
    const isQuiet = flags.bool('quiet')
    if (!isQuiet && !allTags && tag === undefined && digest === undefined)
      printLine('Using default tag: latest')
    await pullWithProgress(context, image, {
      platform: flags.optional('platform') ?? context.environment['DOCKER_DEFAULT_PLATFORM'],
      write: isQuiet ? () => {} : writeOut,
      fd: 1,
      allTags,
    })
    printLine(canonical(image))
  },
}

/** `docker.io/library/busybox:latest` */
function canonical(image: string): string {
  const familiar = familiarReference(image)
  const [first = '', ...rest] = familiar.split('/')
  if (rest.length > 0 && (/[.:]/.test(first) || first === 'localhost')) return familiar
  return `docker.io/${rest.length === 0 ? 'library/' : ''}${familiar}`
}
