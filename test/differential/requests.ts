import { CREATE_BODIES } from './create-requests.ts'

/** One call of the API, made of both daemons. `ref1` runs, `done` has ended, in both. */
export interface ApiCall {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE' | 'OPTIONS'
  readonly path: string
  readonly body?: unknown
  /** Looked at beside the status: `text` (default for errors), `shape` (default for the others), or the exact `json`. */
  readonly compare?: 'text' | 'json' | 'status'
}

const get = (path: string, compare?: ApiCall['compare']): ApiCall =>
  call('GET', path, undefined, compare)
const post = (path: string, body?: unknown, compare?: ApiCall['compare']): ApiCall =>
  call('POST', path, body, compare)
const remove = (path: string): ApiCall => call('DELETE', path)

function call(
  method: ApiCall['method'],
  path: string,
  body?: unknown,
  compare?: ApiCall['compare'],
): ApiCall {
  return {
    method,
    path,
    ...(body === undefined ? {} : { body }),
    ...(compare === undefined ? {} : { compare }),
  }
}

const quiet = { Image: 'busybox', Cmd: ['true'], HostConfig: { NetworkMode: 'none' } }
const filters = (value: unknown): string => `filters=${encodeURIComponent(JSON.stringify(value))}`

/** Older versions of the API that dockerd 20.10 answers otherwise than v1.41, which all other calls are of. */
const OLDER_VERSIONS = ['1.24', '1.25', '1.27', '1.30', '1.34', '1.38', '1.39', '1.40']

const olderCalls: readonly ApiCall[] = OLDER_VERSIONS.flatMap((version) => [
  ...[
    '/_ping',
    '/version',
    '/info',
    '/system/df',
    '/events?since=0&until=1',
    '/containers/json?all=1&size=1',
    '/containers/ref1/json?size=1',
    '/containers/done/json',
    '/images/json?filter=busybox',
    '/images/json?filter=nope',
    '/images/busybox/json',
    '/images/busybox/history',
    '/networks',
    '/networks/none',
    '/volumes',
    '/volumes/vol1',
  ].map((path) => get(`/v${version}${path}`)),
  // What such a client asks for without saying it, and what it cannot know.
  post(`/v${version}/containers/create?name=of-${version}&platform=plan9/nope`, {
    ...quiet,
    HostConfig: {
      NetworkMode: 'none',
      AutoRemove: true,
      Annotations: { a: 'b' },
      RestartPolicy: { Name: 'no' },
    },
  }),
  get(`/v${version}/containers/of-${version}/json`, 'json'),
  remove(`/v${version}/containers/of-${version}`),
])

/** Each is made, looked at and removed; where it is refused, the others are 404 in both. */
const createCalls: readonly ApiCall[] = CREATE_BODIES.flatMap((body, index) => [
  post(`/containers/create?name=of-${index}`, body),
  get(`/containers/of-${index}/json`, 'json'),
  remove(`/containers/of-${index}?v=1`),
])

export const CALLS: readonly ApiCall[] = [
  // system
  get('/_ping', 'text'),
  { method: 'HEAD', path: '/_ping' },
  get('/version'),
  get('/info'),
  get('/system/df'),
  get('/nope'),
  { method: 'OPTIONS', path: '/info' },
  { method: 'OPTIONS', path: '/nope' },
  get('/v1.41/nope'),
  get('/v1.99/info'),
  get('/v1.1/info'),
  get('/plugins', 'text'),
  get('/swarm'),
  get('/nodes'),
  get('/services'),
  get('/tasks'),
  get('/secrets'),
  get('/configs'),
  post('/build/prune', undefined, 'json'),
  post('/auth', 'not json'),
  get(`/events?since=0&until=1`, 'text'),
  get('/events?since=nope'),
  get(`/events?since=0&until=1&${filters({ nope: ['x'] })}`, 'text'),
  // listing
  get('/containers/json'),
  get('/containers/json?all=1'),
  get('/containers/json?all=1&size=1'),
  get('/containers/json?limit=nope'),
  get('/containers/json?limit=-1'),
  get(`/containers/json?${filters({ status: ['running'] })}`),
  get(`/containers/json?${filters({ status: { running: true } })}`),
  get(`/containers/json?${filters({ status: ['nope'] })}`),
  get(`/containers/json?${filters({ nope: ['x'] })}`),
  get(`/containers/json?${filters({ isolation: ['x'] })}`),
  get('/containers/json?filters=nope'),
  get(`/containers/json?all=1&${filters({ exited: ['x'] })}`),
  get(`/containers/json?all=1&${filters({ before: ['nope'] })}`),
  get('/images/json'),
  get('/images/json?all=1&digests=1'),
  get(`/images/json?${filters({ dangling: ['maybe'] })}`),
  get('/volumes'),
  get(`/volumes?${filters({ nope: ['x'] })}`),
  get('/networks'),
  get(`/networks?${filters({ type: ['builtin'] })}`),
  get(`/networks?${filters({ type: ['nope'] })}`),
  // one of each
  get('/containers/ref1/json'),
  get('/containers/ref1/json?size=1'),
  get('/containers/nope/json'),
  get('/containers/done/json'),
  get('/images/busybox/json'),
  get('/images/nope/json'),
  get('/images/busybox/history'),
  get('/images/nope/history'),
  get('/volumes/vol1'),
  get('/volumes/nope'),
  get('/networks/none'),
  get('/networks/bridge'),
  get('/networks/nope'),
  get('/exec/nope/json'),
  ...olderCalls,
  // creation
  post('/containers/create?name=made', quiet),
  post('/containers/create?name=made', quiet),
  post('/containers/create?name=-bad', quiet),
  post('/containers/create', 'not json'),
  post('/containers/create', []),
  post('/containers/create'),
  post('/containers/create', {}),
  post('/containers/create', { Image: 'nope' }),
  post('/containers/create', { ...quiet, Image: 'Nope' }),
  post('/containers/create', { ...quiet, Cmd: 'true' }, 'status'),
  post('/containers/create', { ...quiet, Env: 5 }, 'status'),
  post('/containers/create', { ...quiet, HostConfig: { Memory: -5 } }),
  post('/containers/create', { ...quiet, HostConfig: { Memory: 1000 } }),
  post('/containers/create', { ...quiet, HostConfig: { NanoCpus: -5 } }, 'status'),
  post('/containers/create', { ...quiet, HostConfig: { NetworkMode: 'none', Binds: ['/a'] } }),
  post('/containers/create', { ...quiet, HostConfig: { NetworkMode: 'none', Binds: ['a:b'] } }),
  post('/containers/create', { ...quiet, HostConfig: { NetworkMode: 'none', Binds: ['/a:/'] } }),
  post('/containers/create', {
    ...quiet,
    HostConfig: { Mounts: [{ Type: 'nope', Target: '/x' }] },
  }),
  post('/containers/create', {
    ...quiet,
    HostConfig: { Mounts: [{ Type: 'bind', Target: '/x' }] },
  }),
  post(
    '/containers/create',
    { ...quiet, HostConfig: { RestartPolicy: { Name: 'always', MaximumRetryCount: 3 } } },
    'status',
  ),
  post('/containers/create', {
    ...quiet,
    HostConfig: { AutoRemove: true, RestartPolicy: { Name: 'always' } },
  }),
  post('/containers/create', { ...quiet, HostConfig: { CapAdd: ['NOPE'] } }, 'status'),
  post('/containers/create', { ...quiet, HostConfig: { PortBindings: { 'x/tcp': [] } } }, 'status'),
  post('/containers/create', { ...quiet, ExposedPorts: { '80/nope': {} } }, 'status'),
  post('/containers/create', { ...quiet, Hostname: 'a'.repeat(64) }),
  post(
    '/containers/create',
    { ...quiet, Healthcheck: { Test: ['CMD', 'x'], Interval: 5 } },
    'status',
  ),
  post('/containers/create', { ...quiet, StopSignal: 'NOPE' }),
  post('/containers/create', { ...quiet, WorkingDir: 'relative' }, 'status'),
  ...createCalls,
  // life
  post('/containers/made/start', undefined, 'text'),
  post('/containers/nope/start'),
  post('/containers/made/wait'),
  post('/containers/made/wait?condition=nope'),
  post('/containers/ref1/start', undefined, 'text'),
  post('/containers/ref1/start', { Binds: ['/a:/b'] }),
  post('/containers/ref1/start', {}, 'text'),
  post('/containers/ref1/pause', undefined, 'text'),
  post('/containers/ref1/pause'),
  get('/containers/ref1/json'),
  post('/containers/ref1/exec', { Cmd: ['true'] }),
  post('/containers/ref1/unpause', undefined, 'text'),
  post('/containers/ref1/unpause'),
  post('/containers/done/pause'),
  post('/containers/done/kill'),
  post('/containers/done/stop', undefined, 'text'),
  post('/containers/ref1/kill?signal=NOPE'),
  post('/containers/ref1/kill?signal=0', undefined, 'status'),
  post('/containers/ref1/resize?h=10&w=nope'),
  post('/containers/ref1/resize?h=10&w=20', undefined, 'status'),
  post('/containers/done/resize?h=10&w=20'),
  post('/containers/ref1/rename'),
  post('/containers/ref1/rename?name=done'),
  post('/containers/ref1/rename?name=bad%20name'),
  post('/containers/ref1/update', { Memory: 67108864, MemorySwap: 134217728 }),
  post('/containers/ref1/update', { Memory: 5 }),
  post('/containers/nope/update', {}),
  get('/containers/ref1/top'),
  get('/containers/ref1/top?ps_args=-o%20pid,args'),
  get('/containers/ref1/top?ps_args=nope', 'status'),
  get('/containers/done/top'),
  get('/containers/ref1/stats?stream=0'),
  get('/containers/done/stats?stream=0'),
  get('/containers/nope/stats?stream=0'),
  get('/containers/ref1/changes'),
  get('/containers/made/changes', 'json'),
  get('/containers/done/logs'),
  get('/containers/done/logs?stdout=1&stderr=1', 'text'),
  get('/containers/done/logs?stdout=1&tail=nope', 'status'),
  get('/containers/done/logs?stdout=1&since=nope'),
  get('/containers/nope/logs?stdout=1'),
  // exec
  post('/containers/ref1/exec', { Cmd: ['true'], AttachStdout: true }),
  post('/containers/ref1/exec', {}),
  post('/containers/ref1/exec', { Cmd: ['x'], DetachKeys: 'nope-nope' }, 'status'),
  post('/containers/done/exec', { Cmd: ['true'] }),
  post('/containers/nope/exec', { Cmd: ['true'] }),
  post('/exec/nope/start', {}),
  post('/exec/nope/resize?h=1&w=1'),
  // files
  { method: 'HEAD', path: '/containers/ref1/archive?path=/etc/passwd' },
  { method: 'HEAD', path: '/containers/ref1/archive?path=/nope' },
  get('/containers/ref1/archive?path=/nope'),
  get('/containers/ref1/archive'),
  get('/containers/nope/archive?path=/'),
  { method: 'PUT', path: '/containers/ref1/archive?path=/nope', body: '' },
  { method: 'PUT', path: '/containers/ref1/archive?path=/etc/passwd', body: '' },
  {
    method: 'PUT',
    path: '/containers/ref1/archive?path=/tmp',
    body: 'no archive',
    compare: 'status',
  },
  get('/containers/nope/export'),
  // images
  post('/images/busybox/tag?repo=second&tag=one', undefined, 'text'),
  post('/images/busybox/tag?repo=BAD'),
  post('/images/create', undefined, 'status'),
  post('/images/create?fromImage=', undefined, 'status'),
  post('/images/nope/tag?repo=x'),
  remove('/images/second:one'),
  remove('/images/nope'),
  remove('/images/busybox'),
  post('/commit?container=done&repo=kept&tag=1&comment=c&author=a'),
  post('/commit?container=nope'),
  get('/images/kept:1/json'),
  remove('/images/kept:1'),
  get('/images/nope/get'),
  post(`/images/prune?${filters({ nope: ['x'] })}`),
  post('/images/prune', undefined, 'json'),
  post('/images/load?quiet=1', 'no archive', 'status'),
  // volumes
  post('/volumes/create', { Name: 'v2', Labels: { a: 'b' } }),
  post('/volumes/create', { Name: 'v2' }),
  post('/volumes/create', { Name: 'bad name' }),
  post('/volumes/create', { Name: 'v3', DriverOpts: { nope: 'x' } }),
  post('/volumes/create', {}),
  remove('/volumes/vol1'),
  remove('/volumes/v2'),
  remove('/volumes/v2'),
  remove('/volumes/v2?force=1'),
  post(`/volumes/prune?${filters({ nope: ['x'] })}`),
  // networks
  post('/networks/create', { Name: 'net1', Labels: { a: 'b' }, CheckDuplicate: true }),
  post('/networks/create', { Name: 'net1', CheckDuplicate: true }),
  post('/networks/create', { Name: '' }),
  post('/networks/create', { Name: 'host' }),
  post('/networks/create', { Name: 'x', IPAM: { Config: [{ Subnet: 'nope' }] } }, 'status'),
  get('/networks/net1'),
  get('/networks/net1?verbose=1'),
  get('/networks/net1?verbose=x'),
  get('/networks/net1?scope=swarm'),
  post('/networks/net1/connect', {}),
  post('/networks/net1/disconnect', {}),
  post('/networks/net1/connect', { Container: 'nope' }),
  post('/networks/nope/connect', { Container: 'ref1' }),
  post('/networks/host/connect', { Container: 'ref1' }, 'status'),
  post('/networks/net1/disconnect', { Container: 'nope' }),
  remove('/networks/net1'),
  ...['bind', 'volume', 'tmpfs'].flatMap((Type) =>
    ['VolumeOptions', 'BindOptions', 'TmpfsOptions']
      .map((name) =>
        post('/containers/create?name=mounted', {
          Image: 'busybox',
          HostConfig: {
            NetworkMode: 'none',
            Mounts: [
              {
                Type,
                Target: '/x',
                [name]: {},
                ...(Type === 'tmpfs' ? {} : { Source: Type === 'bind' ? '/tmp' : 'vol1' }),
              },
            ],
          },
        }),
      )
      .flatMap((create) => [create, remove('/containers/mounted')]),
  ),
  post('/containers/create', {
    Image: 'busybox',
    HostConfig: { NetworkMode: 'bridge' },
    NetworkingConfig: { EndpointsConfig: { bridge: null } },
  }),
  ...['POST /containers/nope/attach?stream=1', 'POST /containers/ref1/attach?detachKeys=zz-'].map(
    (line) => post(line.slice(5)),
  ),
  ...['until=x', 'nope=x'].map((text) => {
    const [name = '', value = ''] = text.split('=')
    return post(`/build/prune?${filters({ [name]: [value] })}`, undefined, 'status')
  }),
  remove('/networks/net1'),
  remove('/networks/bridge'),
  ...[
    {
      Name: 'kept',
      ConfigOnly: true,
      Driver: 'bridge',
      IPAM: { Config: [{ Subnet: '10.97.0.0/24' }] },
      Options: { 'com.docker.network.driver.mtu': '1400' },
      Labels: { a: 'b' },
    },
    { Name: 'kept', ConfigOnly: true },
    { Name: 'kept2', ConfigOnly: true, Internal: true },
    { Name: 'kept2', ConfigOnly: true, Scope: 'local' },
    { Name: 'kept2', ConfigOnly: true, ConfigFrom: { Network: 'kept' } },
    { Name: 'made', ConfigFrom: { Network: 'nope' } },
    { Name: 'made', ConfigFrom: { Network: 'bridge' } },
    { Name: 'made', ConfigFrom: { Network: 'kept' }, Labels: { a: 'b' } },
    { Name: 'made', ConfigFrom: { Network: 'kept' }, EnableIPv6: true },
    { Name: 'made', ConfigFrom: { Network: 'kept' }, Options: { a: 'b' } },
    { Name: 'made', ConfigFrom: { Network: 'kept' } },
    { Name: 'made2', ConfigFrom: { Network: 'kept' } },
    { Name: 'options', IPAM: { Driver: 'default', Options: { a: 'b' } } },
    { Name: 'x', Ingress: true },
    { Name: 'x', Scope: 'swarm' },
  ].map((body) => post('/networks/create', { CheckDuplicate: true, ...body })),
  ...['kept', 'options'].map((name) => get(`/networks/${name}`)),
  post('/networks/kept/connect', { Container: 'ref1' }, 'status'),
  remove('/networks/kept'),
  remove('/networks/options'), // dockerd prunes in any order: one at a time
  post('/networks/prune', undefined, 'json'),
  remove('/networks/kept'),
  post(`/networks/prune?${filters({ nope: ['x'] })}`),
  post('/networks/prune', undefined, 'json'),
  // removal
  remove('/containers/ref1'),
  remove('/containers/made'),
  remove('/containers/made'),
  remove('/containers/made?force=1'),
  post(`/containers/prune?${filters({ nope: ['x'] })}`),
  post(`/containers/prune?${filters({ label: ['none-has-it'] })}`, undefined, 'json'),
  remove('/containers/ref1?force=1&v=1'),
]
