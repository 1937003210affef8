import { type Command, ExitError } from '../command.ts'
import { SCRIPTS } from '../completion/scripts.ts'
import { writeOut } from '../output/write.ts'

export const command: Command = {
  usage: 'SHELL',
  summary: 'Print the completion script of a shell: bash, zsh or fish',
  flags: [],
  args: { min: 1, max: 1 },
  examples: [
    { text: 'In ~/.bashrc', command: 'source <(ctr completion bash)' },
    { text: 'In ~/.zshrc', command: 'source <(ctr completion zsh)' },
    { text: 'In ~/.config/fish/config.fish', command: 'ctr completion fish | source' },
  ],
  async run(_context, { args }) {
    const [shell = ''] = args
    const script = Object.hasOwn(SCRIPTS, shell) ? SCRIPTS[shell] : undefined
    if (script === undefined) {
      throw new ExitError(
        1,
        `no completion for ${JSON.stringify(shell)}: there are ${Object.keys(SCRIPTS).join(', ')}`,
      )
    }
    writeOut(script)
  },
}
