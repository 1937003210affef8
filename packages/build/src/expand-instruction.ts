import { expandDocument, expandWord, expandWords, type Variables } from './dockerfile/expand.ts'
import type { Instruction, KeyValue } from './dockerfile/instruction.ts'
import type { Escape } from './dockerfile/lines.ts'

/** Variables and quotes, in the instructions that have them. */
export function expandInstruction<I extends Instruction>(
  instruction: I,
  env: Variables,
  escape: Escape,
): I
export function expandInstruction(
  instruction: Instruction,
  env: Variables,
  escape: Escape,
): Instruction {
  const one = (word: string): string => expandWord(word, env, escape)
  const pair = ({ key, value }: KeyValue): KeyValue => ({ key: one(key), value: one(value) })
  switch (instruction.name) {
    case 'ENV':
      return { ...instruction, pairs: instruction.pairs.map(pair) }
    case 'LABEL':
      return instruction.isLiteral
        ? instruction
        : { ...instruction, pairs: instruction.pairs.map(pair) }
    case 'ARG':
      return {
        ...instruction,
        args: instruction.args.map((arg) => ('value' in arg ? pair(arg) : { key: one(arg.key) })),
      }
    case 'ADD':
    case 'COPY':
      return {
        ...instruction,
        sources: instruction.sources.map(one),
        documents: instruction.documents.map((document) =>
          document.isExpanded
            ? { ...document, content: expandDocument(document.content, env) }
            : document,
        ),
        destination: one(instruction.destination),
        chown: one(instruction.chown),
        chmod: one(instruction.chmod),
      }
    case 'EXPOSE':
      return {
        ...instruction,
        words: instruction.words.flatMap((word) => expandWords(word, env, escape)),
      }
    case 'VOLUME':
      return { ...instruction, words: instruction.words.map(one) }
    case 'USER':
    case 'WORKDIR':
    case 'STOPSIGNAL':
      return { ...instruction, value: one(instruction.value) }
    case 'FROM':
    case 'RUN':
    case 'CMD':
    case 'ENTRYPOINT':
    case 'HEALTHCHECK':
    case 'MAINTAINER':
    case 'ONBUILD':
    case 'SHELL':
      return instruction
  }
}
