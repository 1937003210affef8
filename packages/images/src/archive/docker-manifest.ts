import { EngineError } from '@ctr/errdefs'
import { type Reference, withDefaultTag } from '@ctr/oci'
import { parseJson } from '../config.ts'
import { parseUserReference } from '../lookup.ts'
import { type ArchivedImage, digestOfName, readDocument, verifyDocument } from './document.ts'
import type { ArchiveSpool } from './spool.ts'

/** Reads `manifest.json` of docker save: `[{Config, RepoTags, Layers, Parent?}]`, paths of members. */
export function readDockerManifest(spool: ArchiveSpool): ArchivedImage[] {
  const document = parseJson(readDocument(spool, 'manifest.json'), 'manifest.json')
  if (!Array.isArray(document)) throw invalid('it is no list')
  return document.map((item) => readItem(spool, item))
}

function readItem(spool: ArchiveSpool, item: unknown): ArchivedImage {
  if (typeof item !== 'object' || item === null) throw invalid('an image is no object')
  const fields = item as Record<string, unknown>
  const configName = fields['Config']
  if (typeof configName !== 'string') throw invalid('Config must be a string')
  const parent = fields['Parent']
  return {
    config: readConfig(spool, configName),
    layers: strings(fields['Layers'], 'Layers').map((name) => ({
      name,
      digest: digestOfName(name),
    })),
    names: strings(fields['RepoTags'], 'RepoTags').map(toTag),
    parent: typeof parent === 'string' && parent !== '' ? parent : undefined,
  }
}

function readConfig(spool: ArchiveSpool, name: string): Buffer {
  const data = readDocument(spool, name)
  const digest = digestOfName(name)
  return digest === undefined ? data : verifyDocument(data, digest, name)
}

function toTag(text: string): Reference {
  const reference = withDefaultTag(parseUserReference(text))
  if (reference.digest !== undefined) throw invalid(`invalid tag "${text}"`)
  return reference
}

function strings(value: unknown, name: string): string[] {
  if (value === undefined || value === null) return []
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value
  throw invalid(`${name} must be a list of strings`)
}

function invalid(problem: string): EngineError {
  return new EngineError('INVALID_ARGUMENT', `invalid manifest.json: ${problem}`)
}
