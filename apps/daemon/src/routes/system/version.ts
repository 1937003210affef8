import { SystemVersion } from '@ctr/api'
import { API_VERSION, MIN_API_VERSION } from '../../http/api-version.ts'
import { route } from '../../http/route.ts'
import { VERSION } from '../../version.ts'
import { goArchitecture, kernelVersion } from './host.ts'

/** There is no build: the daemon runs from its source. */
const BUILD_TIME = '2026-01-01T00:00:00.000000000+00:00'

export const versionRoute = route({
  method: 'GET',
  path: '/version',
  summary: 'Versions of the daemon and of what it is made of',
  response: SystemVersion,
  handle: async (): Promise<SystemVersion> => {
    const common = {
      ApiVersion: API_VERSION,
      MinAPIVersion: MIN_API_VERSION,
      GitCommit: 'source',
      GoVersion: `node ${process.version}`,
      Os: 'linux',
      Arch: goArchitecture(),
      KernelVersion: kernelVersion(),
      BuildTime: BUILD_TIME,
    }
    return {
      Platform: { Name: 'ctr' },
      Components: [
        { Name: 'Engine', Version: VERSION, Details: { ...common, Experimental: 'true' } },
        { Name: 'ctr-shim', Version: VERSION, Details: { GitCommit: 'source' } },
        {
          Name: 'node',
          Version: process.versions.node,
          Details: { V8: process.versions.v8, GitCommit: '' },
        },
      ],
      Version: VERSION,
      ...common,
      Experimental: true,
    }
  },
})
