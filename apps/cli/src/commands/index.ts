import type { Command } from '../command.ts'
import { QUICK } from './quick.ts'

/**
 * All commands by name. Only summaries live here: a command's module is loaded when it runs, because the start-up time of
 * each command is felt.
 */
export type Entry = Leaf | Group

interface Leaf {
  readonly kind: 'command'
  readonly summary: string
  readonly isCommon: boolean
  readonly isHidden: boolean
  readonly load: () => Promise<{ readonly command: Command }>
}

export interface Group {
  readonly kind: 'group'
  readonly summary: string
  readonly children: Readonly<Record<string, Entry>>
}

function leaf(summary: string, load: Leaf['load']): Leaf {
  return { kind: 'command', summary, load, isCommon: false, isHidden: false }
}

function common(entry: Leaf): Leaf {
  return { ...entry, isCommon: true }
}

function hidden(entry: Leaf): Leaf {
  return { ...entry, isHidden: true }
}

function group(summary: string, children: Readonly<Record<string, Entry>>): Group {
  return { kind: 'group', summary, children }
}

const attach = leaf(
  'Attach local standard input, output, and error streams to a running container',
  () => import('./attach.ts'),
)
const build = leaf('Build an image from a Dockerfile', () => import('./build.ts'))
const checkpointCreate = leaf(
  'Create a checkpoint from a running container',
  () => import('./checkpoint-create.ts'),
)
const checkpointLs = leaf('List checkpoints for a container', () => import('./checkpoint-ls.ts'))
const checkpointRm = leaf('Remove a checkpoint', () => import('./checkpoint-rm.ts'))
const commit = leaf("Create a new image from a container's changes", () => import('./commit.ts'))
const cp = leaf(
  'Copy files/folders between a container and the local filesystem',
  () => import('./cp.ts'),
)
const create = leaf('Create a new container', () => import('./create.ts'))
const diff = leaf(
  "Inspect changes to files or directories on a container's filesystem",
  () => import('./diff.ts'),
)
const events = leaf('Get real time events from the server', () => import('./events.ts'))
const exec = leaf('Execute a command in a running container', QUICK.exec)
const exportContainer = leaf(
  "Export a container's filesystem as a tar archive",
  () => import('./export.ts'),
)
const history = leaf('Show the history of an image', () => import('./history.ts'))
const images = leaf('List images', () => import('./images.ts'))
const importImage = leaf(
  'Import the contents from a tarball to create a filesystem image',
  () => import('./import.ts'),
)
const info = leaf('Display system-wide information', () => import('./info.ts'))
const inspect = leaf(
  'Return low-level information on containers, images, networks and volumes',
  () => import('./inspect.ts'),
)
const kill = leaf('Kill one or more running containers', () => import('./kill.ts'))
const load = leaf('Load an image from a tar archive or STDIN', () => import('./load.ts'))
const login = leaf('Authenticate to a registry', () => import('./login.ts'))
const logout = leaf('Log out from a registry', () => import('./logout.ts'))
const logs = leaf('Fetch the logs of a container', () => import('./logs.ts'))
const pause = leaf('Pause all processes within one or more containers', () => import('./pause.ts'))
const port = leaf(
  'List port mappings or a specific mapping for the container',
  () => import('./port.ts'),
)
const ps = leaf('List containers', QUICK.ps)
const pull = leaf('Download an image from a registry', () => import('./pull.ts'))
const push = leaf('Upload an image to a registry', () => import('./push.ts'))
const rename = leaf('Rename a container', () => import('./rename.ts'))
const restart = leaf('Restart one or more containers', () => import('./restart.ts'))
const rm = leaf('Remove one or more containers', () => import('./rm.ts'))
const rmi = leaf('Remove one or more images', () => import('./rmi.ts'))
const run = leaf('Create and run a new container from an image', QUICK.run)
const save = leaf(
  'Save one or more images to a tar archive (streamed to STDOUT by default)',
  () => import('./save.ts'),
)
const search = leaf('Search Docker Hub for images', () => import('./search.ts'))
const start = leaf('Start one or more stopped containers', () => import('./start.ts'))
const stats = leaf(
  'Display a live stream of container(s) resource usage statistics',
  () => import('./stats.ts'),
)
const stop = leaf('Stop one or more running containers', () => import('./stop.ts'))
const tag = leaf('Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE', () => import('./tag.ts'))
const top = leaf('Display the running processes of a container', () => import('./top.ts'))
const unpause = leaf(
  'Unpause all processes within one or more containers',
  () => import('./unpause.ts'),
)
const update = leaf('Update configuration of one or more containers', () => import('./update.ts'))
const version = leaf('Show the ctr version information', QUICK.version)
const wait = leaf(
  'Block until one or more containers stop, then print their exit codes',
  () => import('./wait.ts'),
)

const containerCheckpoint = leaf(
  'Checkpoint a container, into a file that another daemon restores it from',
  () => import('./container-checkpoint.ts'),
)
const containerRestore = leaf(
  'Restore a container from a checkpoint, or from the file of one',
  () => import('./container-restore.ts'),
)
const containerInspect = leaf(
  'Display detailed information on one or more containers',
  () => import('./container-inspect.ts'),
)
const containerPrune = leaf('Remove all stopped containers', () => import('./container-prune.ts'))
const imageInspect = leaf(
  'Display detailed information on one or more images',
  () => import('./image-inspect.ts'),
)
const imagePrune = leaf('Remove unused images', () => import('./image-prune.ts'))
const complete = leaf('Complete a command line', () => import('./complete.ts'))
const completion = leaf(
  'Print the completion script of a shell: bash, zsh or fish',
  () => import('./completion.ts'),
)
const contextCreate = leaf('Create a context', () => import('./context-create.ts'))
const contextExport = leaf(
  'Export a context to a tar archive FILE or a tar stream on STDOUT.',
  () => import('./context-export.ts'),
)
const contextImport = leaf('Import a context from a tar file', () => import('./context-import.ts'))
const contextInspect = leaf(
  'Display detailed information on one or more contexts',
  () => import('./context-inspect.ts'),
)
const contextLs = leaf('List contexts', () => import('./context-ls.ts'))
const contextRm = leaf('Remove one or more contexts', () => import('./context-rm.ts'))
const contextShow = leaf('Print the name of the current context', () => import('./context-show.ts'))
const contextUpdate = leaf('Update a context', () => import('./context-update.ts'))
const contextUse = leaf('Set the current context', () => import('./context-use.ts'))
const man = leaf('Write the manual pages', () => import('./man.ts'))
const networkConnect = leaf(
  'Connect a container to a network',
  () => import('./network-connect.ts'),
)
const networkCreate = leaf('Create a network', () => import('./network-create.ts'))
const networkDisconnect = leaf(
  'Disconnect a container from a network',
  () => import('./network-disconnect.ts'),
)
const networkInspect = leaf(
  'Display detailed information on one or more networks',
  () => import('./network-inspect.ts'),
)
const networkLs = leaf('List networks', () => import('./network-ls.ts'))
const networkPrune = leaf('Remove all unused networks', () => import('./network-prune.ts'))
const networkRm = leaf('Remove one or more networks', () => import('./network-rm.ts'))
const secretCreate = leaf(
  'Create a secret from a file or STDIN as content',
  () => import('./secret-create.ts'),
)
const secretInspect = leaf(
  'Display detailed information on one or more secrets',
  () => import('./secret-inspect.ts'),
)
const secretLs = leaf('List secrets', () => import('./secret-ls.ts'))
const secretRm = leaf('Remove one or more secrets', () => import('./secret-rm.ts'))
const volumeCreate = leaf('Create a volume', () => import('./volume-create.ts'))
const volumeInspect = leaf(
  'Display detailed information on one or more volumes',
  () => import('./volume-inspect.ts'),
)
const volumeLs = leaf('List volumes', () => import('./volume-ls.ts'))
const volumePrune = leaf('Remove unused local volumes', () => import('./volume-prune.ts'))
const volumeRm = leaf('Remove one or more volumes', () => import('./volume-rm.ts'))
const systemDf = leaf('Show disk usage', () => import('./system-df.ts'))
const systemDialStdio = leaf(
  'Proxy the stdio stream to the daemon connection',
  () => import('./system-dial-stdio.ts'),
)
const systemPrune = leaf('Remove unused data', () => import('./system-prune.ts'))

export const COMMANDS: Readonly<Record<string, Entry>> = {
  __complete: hidden(complete),
  __man: hidden(man),
  attach,
  build: common(build),
  checkpoint: group('Manage checkpoints', {
    create: checkpointCreate,
    list: hidden(checkpointLs),
    ls: checkpointLs,
    remove: hidden(checkpointRm),
    rm: checkpointRm,
  }),
  commit,
  container: group('Manage containers', {
    attach,
    checkpoint: containerCheckpoint,
    commit,
    cp,
    create,
    diff,
    exec,
    export: exportContainer,
    inspect: containerInspect,
    kill,
    list: hidden(ps),
    logs,
    ls: ps,
    pause,
    port,
    prune: containerPrune,
    ps: hidden(ps),
    remove: hidden(rm),
    rename,
    restart,
    restore: containerRestore,
    rm,
    run,
    start,
    stats,
    stop,
    top,
    unpause,
    update,
    wait,
  }),
  completion,
  context: group('Manage contexts', {
    create: contextCreate,
    export: contextExport,
    import: contextImport,
    inspect: contextInspect,
    list: hidden(contextLs),
    ls: contextLs,
    remove: hidden(contextRm),
    rm: contextRm,
    show: contextShow,
    update: contextUpdate,
    use: contextUse,
  }),
  cp,
  create,
  diff,
  events,
  exec: common(exec),
  export: exportContainer,
  history,
  image: group('Manage images', {
    build,
    history,
    import: importImage,
    inspect: imageInspect,
    list: hidden(images),
    load,
    ls: images,
    prune: imagePrune,
    pull,
    push,
    remove: hidden(rmi),
    rm: rmi,
    save,
    tag,
  }),
  images: common(images),
  import: importImage,
  info: common(info),
  inspect,
  kill,
  load,
  login: common(login),
  logout: common(logout),
  logs,
  network: group('Manage networks', {
    connect: networkConnect,
    create: networkCreate,
    disconnect: networkDisconnect,
    inspect: networkInspect,
    list: hidden(networkLs),
    ls: networkLs,
    prune: networkPrune,
    remove: hidden(networkRm),
    rm: networkRm,
  }),
  pause,
  port,
  ps: common(ps),
  pull: common(pull),
  push: common(push),
  rename,
  restart,
  rm,
  rmi,
  run: common(run),
  save,
  search: common(search),
  secret: group('Manage secrets', {
    create: secretCreate,
    inspect: secretInspect,
    list: hidden(secretLs),
    ls: secretLs,
    remove: hidden(secretRm),
    rm: secretRm,
  }),
  start,
  stats,
  stop,
  system: group('Manage the engine', {
    df: systemDf,
    'dial-stdio': hidden(systemDialStdio),
    events,
    info,
    prune: systemPrune,
  }),
  tag,
  top,
  unpause,
  update,
  version: common(version),
  volume: group('Manage volumes', {
    create: volumeCreate,
    inspect: volumeInspect,
    list: hidden(volumeLs),
    ls: volumeLs,
    prune: volumePrune,
    remove: hidden(volumeRm),
    rm: volumeRm,
  }),
  wait,
}
