import { complete, type Progress } from '../unpack/growing-file.ts'
import { type PackOptions, packTree } from './pack-tree.ts'
import { TarOutput } from './tar-output.ts'

/** One directory to archive into a file. Sent to a worker. */
export interface PackJob extends PackOptions {
  root: string
  /** An empty file. */
  output: string
  progress: Progress
}

export interface PackedTar {
  size: number
  /** 0: nothing differs from the layers below. */
  members: number
}

export async function runPackJob(job: PackJob): Promise<PackedTar> {
  await using output = new TarOutput(job.output, job.progress)
  packTree(output, job.root, job)
  const size = output.finish()
  complete(job.progress)
  return { size, members: output.members }
}
