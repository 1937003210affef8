import type { JsonDifference } from './json-difference.ts'

/**
 * Where ctr does not answer as Docker does, and why: `between` ctrd and dockerd 20.10 under the same docker CLI, or between the
 * two CLIs on the same ctrd.
 */
interface Known {
  readonly between: 'daemons' | 'clients'
  readonly reason: string
}

/** Whole lines of commands.txt. A difference that has gone must be taken out: its test fails. */
export interface KnownDifference extends Known {
  readonly commands: readonly string[]
}

/** Fields of JSON answers, of commands and of the API. */
interface KnownField extends Known {
  readonly path: RegExp
}

const NEWER = 'the text is that of Docker 28, dockerd here is 20.10'

const DIFFERENCES: readonly KnownDifference[] = [
  {
    between: 'daemons',
    reason: NEWER,
    commands: [
      'docker ps --filter bad=x',
      'docker save nope',
      'docker image inspect nope',
      'docker inspect --type image ref1',
      'docker kill nope',
      'docker kill -s KILL ref1',
      'docker kill -s FOO ref1',
      'docker run --network none --rm busybox /nosuch',
      'docker run --network none --rm busybox nosuch',
      'docker run --network none --rm busybox /etc',
      'docker run --rm --network none busybox -x',
      'docker run --restart foo busybox',
      'docker run --ipc foo --network none busybox',
      'docker run --cpus -1 busybox',
      'docker exec ref1 /etc',
      'docker network create --subnet nope net2',
      'docker network create -o com.docker.network.bridge.enable_icc=maybe net2',
      'docker network rm net1',
      'docker images --filter nope=1',
      'docker exec -i ref1 cat </dev/null',
      'docker run --rm --network none -u 1:2:3 busybox id',
      'docker network create --subnet 10.77.1.0/24 net2',
      'docker run -d --name other --network net1 --ip 10.77.1.20 busybox sleep 1000',
      'docker run --rm --network none --tmpfs /a:foo busybox true',
      "docker commit -c 'NOPE x' files made:2",
    ],
  },
  {
    between: 'clients',
    reason: 'ctr says where its options go',
    commands: ['docker run --rm --network none busybox -x'],
  },
  {
    between: 'daemons',
    reason: 'Docker 28 gives 127 for a program that is not there, 20.10 gives 126',
    commands: ['docker exec ref1 nosuch'],
  },
  {
    between: 'daemons',
    reason: 'another version',
    commands: ["docker version --format '{{.Server.Version}}'"],
  },
  {
    between: 'daemons',
    reason:
      'not an archive is an error of the request; dockerd says it in the middle of a good answer',
    commands: ['docker load -i notes.txt'],
  },
  {
    between: 'daemons',
    reason:
      'the mode in the tar header: Go puts the type of file into it, POSIX the permissions only',
    commands: ['docker cp ref1:/etc/passwd -'],
  },
  {
    between: 'daemons',
    reason:
      'dockerd accepts any name for a container that does not run, and fails at its next start',
    commands: ['docker network connect nope ref1'],
  },
  {
    between: 'daemons',
    reason:
      'nothing to load: an error of the request; dockerd says it in the middle of a good answer',
    commands: ['docker load <notes.txt', 'docker load -q </dev/null'],
  },
  {
    between: 'daemons',
    reason: 'no process of its own unpacks an archive, so none is named in the message',
    commands: ['docker import notes.txt', 'printf x | docker import - x:y'],
  },
  {
    between: 'daemons',
    reason: 'the pools of addresses begin at the same place; this dockerd left two out',
    commands: [
      "docker network inspect -f '{{json .IPAM.Config}} {{.Internal}} {{json .Labels}} {{json .Options}}' net1 inside",
    ],
  },
  {
    between: 'daemons',
    reason: 'an internal network has no way out, as in Docker 28: no default route',
    commands: ["docker run --rm --network inside busybox sh -c 'ip route | grep -c default'"],
  },
  {
    between: 'daemons',
    reason: 'Docker 28 writes nameserver first',
    commands: [
      'docker run --rm --dns 10.9.8.7 --dns-search example.org --dns-option ndots:3 busybox cat /etc/resolv.conf',
    ],
  },
  {
    between: 'daemons',
    reason: 'all capabilities that the machine has; runc fails where one is missing',
    commands: ['docker run --rm --network none --privileged busybox grep CapEff /proc/self/status'],
  },
  {
    between: 'daemons',
    reason: 'options of a log are checked when the container is created, not when it is started',
    commands: ['docker run --rm --network none --log-opt max-size=nope busybox true'],
  },
  {
    between: 'daemons',
    reason: 'the newest version of the API',
    commands: [
      "docker version --format '{{.Server.Os}} {{.Server.Arch}} {{.Server.APIVersion}} {{.Client.APIVersion}}'",
    ],
  },
  {
    between: 'clients',
    reason: 'docker refuses what the older API cannot say; ctr says it in the older way, too',
    commands: [
      'docker run --rm --mac-address 92:d0:c6:0a:29:33 busybox cat /sys/class/net/eth0/address',
    ],
  },
  {
    between: 'clients',
    reason:
      'docker takes "no such file or directory" in its own error for that of the command, and exits with 127',
    commands: ['docker run --cidfile /nope/x busybox'],
  },
  {
    between: 'clients',
    reason: 'docker prints the addresses of Go pointers',
    commands: [
      "docker inspect -f '{{.Config.Labels}} {{.HostConfig.Binds}} {{.Config.Cmd}} {{.NetworkSettings.Networks}}' nope ref1",
    ],
  },
  {
    between: 'clients',
    reason:
      'ctr has checkpoints in files, and restore; docker has checkpoints by `docker checkpoint`',
    commands: ['docker container'],
  },
  {
    between: 'clients',
    reason: 'ctr wait has options (--condition)',
    commands: ['docker wait'],
  },
  {
    between: 'clients',
    reason: 'docker adds "exit status 1" when it has printed the errors already',
    commands: ['docker network rm n1 nope', 'docker network rm net1', 'docker network rm bridge'],
  },
  {
    between: 'clients',
    reason: 'docker doubles the slash',
    commands: ['docker cp /nosuch ref1:/'],
  },
  {
    between: 'clients',
    reason: 'docker forgets the word COMMAND for this one group',
    commands: ['docker image nope'],
  },
]

const FIELDS: readonly KnownField[] = [
  {
    between: 'daemons',
    reason: 'checkpoints, which Docker calls experimental, are always served',
    path: /^Experimental$/,
  },
  { between: 'daemons', path: /HostConfig\.Runtime$/, reason: 'the runtime of ctrd is its own' },
  {
    between: 'daemons',
    path: /(MaskedPaths|ReadonlyPaths)/,
    reason: 'the longer list of Docker 28 (CVE fixes)',
  },
  { between: 'daemons', path: /GraphDriver\.Data\./, reason: 'another layout of the data root' },
  {
    between: 'daemons',
    path: /(ResolvConfPath|HostnamePath|HostsPath)$/,
    reason: 'in the exec root: every start writes them',
  },
  { between: 'daemons', path: /^Runtimes\./, reason: 'the runtime of ctrd is its own' },
  { between: 'daemons', path: /^Components\[\]\.Details\./, reason: 'made of other parts' },
  { between: 'daemons', path: /^BuildCache$/, reason: 'empty, not null, as in Docker 28' },
  {
    between: 'daemons',
    path: /^ContainerConfig\./,
    reason: 'of the container that was committed: gone from Docker, not kept by ctrd',
  },
  {
    between: 'daemons',
    path: /^(memory_stats\.stats\.|memory_stats\.failcnt$|pressure$)/,
    reason: 'all that the kernel tells, and pressure',
  },
  {
    between: 'daemons',
    path: /^blkio_stats\./,
    reason: 'lists, empty when nothing runs, as in Docker 28',
  },
  {
    between: 'daemons',
    path: /^Labels(\.com\.docker\.volume\.anonymous)?$/,
    reason: 'anonymous volumes bear a label, as in Docker 28',
  },
  {
    between: 'daemons',
    path: /^((\[\])+\.)?State\.(StartTicks|NamespacePaths|CgroupPaths)/,
    reason: 'where the kernel has its process: ours',
  },
  { between: 'daemons', path: /SandboxKey$/, reason: 'namespaces are not kept by a mount' },
  {
    between: 'daemons',
    path: /Metadata\.LastTagTime$/,
    reason: 'Docker 28 sets it when an image is loaded, 20.10 does not',
  },
]

/** Calls of requests.ts, as `METHOD path body`. */
const CALLS: readonly { readonly calls: readonly string[]; readonly reason: string }[] = [
  { calls: ['GET /v1.99/info', 'GET /v1.1/info'], reason: 'the range of versions is 1.24 to 1.51' },
  { calls: ['GET /secrets'], reason: 'ctrd has secrets without a swarm' },
  {
    calls: [
      'GET /images/nope/json',
      'GET /images/nope/get',
      'POST /containers/create {"Image":"Nope","Cmd":["true"],"HostConfig":{"NetworkMode":"none"}}',
      'POST /containers/create "not json"',
      'POST /containers/ref1/resize?h=10&w=nope',
      'POST /containers/ref1/kill?signal=NOPE',
      'POST /containers/done/resize?h=10&w=20',
      'DELETE /containers/ref1',
      'POST /networks/create {"CheckDuplicate":true,"Name":"made2","ConfigFrom":{"Network":"kept"}}',
    ],
    reason: NEWER,
  },
  {
    calls: ['POST /containers/ref1/rename?name=bad%20name'],
    reason: 'the name as it was given, without a slash',
  },
  {
    calls: [
      'POST /containers/create {"Image":"busybox","Cmd":["true"],"HostConfig":{"NetworkMode":"none"},"ExposedPorts":{"80/nope":{}}}',
      'POST /containers/made/wait?condition=nope',
    ],
    reason: 'what cannot be meant is refused, as in Docker 28',
  },
  {
    calls: ['GET /containers/done/logs?stdout=1&stderr=1'],
    reason: 'a type of content, as in Docker 28; the two streams of a container have no order',
  },
  {
    calls: ['POST /images/load?quiet=1 "no archive"'],
    reason:
      'not an archive is an error of the request; dockerd says it in the middle of a good answer',
  },
]

/** The reason, if the table has this call. */
export function isKnownCall(title: string): string | undefined {
  return CALLS.find(({ calls }) => calls.includes(title))?.reason
}

export function knownDifference(
  command: string,
  between: Known['between'],
): KnownDifference | undefined {
  return DIFFERENCES.find((known) => known.between === between && known.commands.includes(command))
}

/** Those that the table does not know, for a message. */
export function unknownFields(
  differences: readonly JsonDifference[],
  between: Known['between'],
): string[] {
  return differences
    .filter(
      ({ path }) => !FIELDS.some((known) => known.between === between && known.path.test(path)),
    )
    .map(({ path, expected, actual }) => `${path}: ${expected} → ${actual}`)
}
