import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { ImageSummary } from '@ctr/api'
import { imageTree } from './image-tree.ts'

const IMAGE: ImageSummary = {
  Id: `sha256:${'a'.repeat(64)}`,
  ParentId: '',
  RepoTags: ['busybox:latest', 'registry.example.com/tools/busybox:1'],
  RepoDigests: [],
  Created: 1,
  Size: 1_986_242,
  SharedSize: -1,
  Labels: null,
  Containers: 1,
}

it('an image is one, whatever its names; platforms hang below it', () => {
  const untagged = { ...IMAGE, Id: `sha256:${'b'.repeat(64)}`, RepoTags: [], Containers: 0 }
  const manifest = (architecture: string, variant: string, containers: string[]): object => ({
    ID: `sha256:${'c'.repeat(64)}`,
    Kind: 'image',
    Available: true,
    Size: { Total: 12_800_000, Content: 3_350_000 },
    ImageData: { Platform: { os: 'linux', architecture, variant }, Containers: containers },
  })
  const several = {
    ...IMAGE,
    RepoTags: ['alpine:3'],
    Manifests: [
      manifest('amd64', '', []),
      manifest('arm64', 'v8', ['1']),
      { ...manifest('unknown', '', []), Kind: 'attestation' },
    ],
  } as unknown as ImageSummary
  assert.deepEqual(imageTree([IMAGE, untagged, several]), [
    'IMAGE                                  ID             DISK USAGE   CONTENT SIZE   EXTRA',
    'busybox:latest',
    'registry.example.com/tools/busybox:1   aaaaaaaaaaaa       1.99MB              -   U',
    '<untagged>                             bbbbbbbbbbbb       1.99MB              -',
    'alpine:3                               aaaaaaaaaaaa       1.99MB          6.7MB   U',
    '├─ linux/amd64                         cccccccccccc       12.8MB         3.35MB',
    '└─ linux/arm64/v8                      cccccccccccc       12.8MB         3.35MB   U',
  ])
})
