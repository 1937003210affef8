import { constants } from 'node:fs'
import { type TarEntry, TarError } from '../tar/format.ts'
import type { TarHandler } from '../tar/parser.ts'
import { cleanPath, parentOf } from './clean-path.ts'
import type { FileProgram } from './file-program.ts'
import { type DirectoryState, UnpackTree } from './tree.ts'

export interface UnpackOptions {
  /** `overlay`: `.wh.` members become overlay whiteouts (a layer). `literal`: they are files like any other. */
  whiteouts: 'overlay' | 'literal'
}

export interface UnpackResult {
  /** Sum of file sizes and of symlink targets, as Docker counts a layer. */
  size: number
  entries: number
  /** Directories that only members below them named, parents first, as latin1. '' is the root. */
  impliedDirectories: string[]
}

/** AUFS's notation, which the image-spec took over. layer.md "Whiteouts" */
const WHITEOUT_PREFIX = '.wh.'
const OPAQUE_MARKER = '.wh..wh..opq'
const META_PREFIX = '.wh..wh.'
const OVERLAY_XATTR_PREFIX = 'trusted.overlay.'
const OPAQUE_XATTR = `${OVERLAY_XATTR_PREFIX}opaque`

/**
 * Decides where the members of an archive go, below a fresh directory nobody else knows. See UnpackTree for why that is safe.
 * ctr-files makes them meanwhile. Call `finish` at the end, and `abort` in any case.
 */
export class Unpacker implements TarHandler {
  readonly #program: FileProgram
  readonly #tree: UnpackTree
  readonly #options: UnpackOptions
  /** Where the next input of the parser is in the source; undefined if that is compressed. */
  #source: { input: Buffer; offset: number } | undefined
  #path = ''
  #file: TarEntry | undefined
  #isOpen = false
  /** Of the file's data in the source, as long as all of it is in one piece. */
  #wholeAt: number | undefined
  #size = 0
  #entries = 0

  /** `program` makes files below the directory, and is ended here. */
  constructor(program: FileProgram, options: UnpackOptions) {
    this.#program = program
    this.#tree = new UnpackTree(program)
    this.#options = options
  }

  /** The next `input` of the parser is at `offset` of the source: its data need not be sent. */
  at(input: Buffer, offset: number): void {
    this.#source = { input, offset }
  }

  entry(entry: TarEntry): void {
    this.#entries += 1
    const path = cleanPath(entry.path)
    if (path === '') {
      if (entry.type !== 'directory')
        throw new TarError('a member that is no directory names the root')
      setDirectory(this.#tree.addDirectory(''), entry)
      return
    }
    const parent = this.#tree.resolveDirectory(parentOf(path))
    const name = path.slice(path.lastIndexOf('/') + 1)
    if (this.#options.whiteouts === 'overlay' && name.startsWith(WHITEOUT_PREFIX)) {
      this.#whiteout(parent, name)
      return
    }
    this.#make(parent === '' ? name : `${parent}/${name}`, entry)
  }

  data(chunk: Buffer, position: number): void {
    const entry = this.#file
    if (entry === undefined) return
    const source = this.#source
    if (source === undefined) {
      this.#open(entry)
      this.#program.write(position, chunk)
      return
    }
    const offset = source.offset + chunk.byteOffset - source.input.byteOffset
    if (position === 0 && chunk.length === entry.size) {
      this.#wholeAt = offset
      return
    }
    this.#open(entry)
    this.#program.copy(position, offset, chunk.length)
  }

  end(): void {
    const entry = this.#file
    if (entry === undefined) return
    this.#file = undefined
    if (this.#isOpen) this.#program.endFile()
    else if (this.#wholeAt !== undefined || entry.size === 0)
      this.#program.wholeFile(this.#path, entry, this.#wholeAt ?? 0)
    else {
      // Nothing but a hole.
      this.#program.file(this.#path, entry)
      this.#program.endFile()
    }
  }

  /** No effect after `finish`. The directory is the caller's to remove. */
  async abort(): Promise<void> {
    await this.#program.abort()
  }

  /** Sets the attributes of directories, last ones first, and waits for ctr-files. Call once, after the parser's `finish`. */
  async finish(): Promise<UnpackResult> {
    const impliedDirectories: string[] = []
    for (const [path, state] of [...this.#tree.directories].reverse()) {
      this.#program.attributes(path, toAttributes(state), { keepTime: !state.isExplicit })
      if (!state.isExplicit) impliedDirectories.push(path)
    }
    await this.#program.finish()
    return {
      size: this.#size,
      entries: this.#entries,
      impliedDirectories: impliedDirectories.reverse(),
    }
  }

  #open(entry: TarEntry): void {
    if (this.#isOpen) return
    this.#isOpen = true
    this.#program.file(this.#path, entry)
  }

  #make(path: string, entry: TarEntry): void {
    if (entry.type === 'directory') {
      setDirectory(this.#tree.addDirectory(path), entry)
      return
    }
    withoutOverlay(entry)
    if (entry.type === 'hardlink') {
      this.#link(path, entry)
      return
    }
    this.#tree.clear(path)
    switch (entry.type) {
      case 'file':
        this.#path = path
        this.#file = entry
        this.#isOpen = false
        this.#wholeAt = undefined
        this.#size += entry.size
        return
      case 'symlink':
        this.#program.symlink(path, entry)
        this.#tree.addSymlink(path, entry.linkTarget)
        this.#size += entry.linkTarget.length
        return
      case 'character':
      case 'block':
      case 'fifo':
        this.#program.node(path, { ...entry, mode: nodeMode(entry) })
    }
  }

  #link(path: string, entry: TarEntry): void {
    const target = cleanPath(entry.linkTarget)
    if (target === '') throw new TarError(`invalid hardlink ${entry.path} -> ${entry.linkTarget}`)
    const directory = this.#tree.resolveDirectory(parentOf(target))
    const name = target.slice(target.lastIndexOf('/') + 1)
    const source = directory === '' ? name : `${directory}/${name}`
    if (source === path) return
    this.#tree.clear(path)
    this.#program.link(path, source)
  }

  #whiteout(parent: string, name: string): void {
    if (name === OPAQUE_MARKER) {
      const state = this.#tree.directory(parent)
      if (state !== undefined) state.isOpaque = true
      return
    }
    // AUFS's own files (.wh..wh.plnk, .wh..wh.aufs) mean nothing outside AUFS.
    if (name.startsWith(META_PREFIX)) return
    const hidden = name.slice(WHITEOUT_PREFIX.length)
    if (hidden === '' || hidden === '.' || hidden === '..') {
      throw new TarError(`invalid whiteout ${name}`)
    }
    const path = parent === '' ? hidden : `${parent}/${hidden}`
    const state = this.#tree.directory(path)
    // A whiteout hides the layers below only: what this layer holds stays, and is all there is.
    if (state !== undefined) state.isOpaque = true
    else if (this.#program.whiteout(path)) this.#tree.addWhiteout(path)
  }
}

function setDirectory(state: DirectoryState, entry: TarEntry): void {
  withoutOverlay(entry)
  state.isExplicit = true
  state.mode = entry.mode
  state.uid = entry.uid
  state.gid = entry.gid
  state.mtimeSeconds = entry.mtimeSeconds
  state.mtimeNanoseconds = entry.mtimeNanoseconds
  state.xattrs = entry.xattrs
}

function toAttributes(state: DirectoryState): DirectoryState {
  if (!state.isOpaque) return state
  return { ...state, xattrs: new Map([...(state.xattrs ?? []), [OPAQUE_XATTR, Buffer.from('y')]]) }
}

/** Overlay's own attributes are ours to set: one from an image could redirect a directory. */
function withoutOverlay({ xattrs }: TarEntry): void {
  if (xattrs === undefined) return
  for (const name of xattrs.keys()) if (name.startsWith(OVERLAY_XATTR_PREFIX)) xattrs.delete(name)
}

function nodeMode(entry: TarEntry): number {
  const type =
    entry.type === 'character'
      ? constants.S_IFCHR
      : entry.type === 'block'
        ? constants.S_IFBLK
        : constants.S_IFIFO
  return type | entry.mode
}
