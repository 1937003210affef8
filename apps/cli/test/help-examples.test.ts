import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { findTestCriu, requires, run, startDaemon, type TestDaemon } from '@ctr/testkit'
import { COMMANDS, type Entry } from '../src/commands/index.ts'

/**
 * Every example that `ctr COMMAND --help` shows, as it stands there, in a shell: in a folder with the files, and against a
 * daemon with the containers, images, … that it speaks of.
 */
const skip = requires({ root: true, commands: ['bash', 'ip', 'nsenter', 'script', 'timeout'] })
const criu = findTestCriu()

async function examplesOf(entry: Entry): Promise<string[]> {
  if (entry.kind === 'command') {
    return ((await entry.load()).command.examples ?? []).map(({ command }) => command)
  }
  return (await Promise.all(Object.values(entry.children).map(examplesOf))).flat()
}

const all = (await Promise.all(Object.values(COMMANDS).map(examplesOf))).flat()
const examples = [...new Set(all)].filter((line) => !line.startsWith('ctr __'))

/** What must be there before, by what the example says; all that match, in this order. */
const PREPARATIONS: readonly [pattern: RegExp, script: string][] = [
  [
    /\bweb\b|ctr ps|1f2e3d4c5b6a/,
    `ctr container inspect web || {
       ctr run -d --name web --health-cmd true --health-interval 100ms -p 80 busybox httpd -f -p 80
       ctr exec web mkdir -p /var/log; ctr tag busybox web; ctr tag busybox web:1; ctr tag busybox web:old; }`,
  ],
  [/^ctr run .*--name web/, 'ctr rm -f web'],
  [/^ctr (start|container restore)/, 'ctr stop -t 0 web; ctr create -it --name shell busybox'],
  [/^ctr unpause/, 'ctr pause web'],
  [/status=exited/, 'ctr run busybox true'],
  [
    /1f2e3d4c5b6a/,
    // Its health check is an exec, too, now and then.
    'ctr exec -d web sleep 100; id=$(ctr exec ls web | grep -m 1 "sleep 100" | cut -d " " -f 1)',
  ],
  [/41859dcd261f/, 'ctr commit $(ctr create busybox) other; id=$(ctr images -q other)'],
  [
    /^ctr build/,
    `mkdir docker; printf 'FROM busybox AS test\\nARG VERSION\\nRUN echo $VERSION\\n' | tee Dockerfile >docker/Dockerfile`,
  ],
  [/\bcp\b/, 'mkdir site; echo hi >site/index.html'],
  [/rootfs/, 'mkdir rootfs; echo x >rootfs/x; tar cf rootfs.tar -C rootfs .'],
  [/^ctr push/, 'ctr tag busybox registry.example.com/web:1'],
  [/load -i/, 'ctr save -o busybox.tar busybox'],
  [/\bfile\b/, 'echo x >file'],
  [/token/, 'echo x >token; ctr secret create token token'],
  [/checkpoint rm/, 'ctr checkpoint create --leave-running web before-upgrade'],
  [/--import/, 'ctr start web; ctr container checkpoint --export web.tar web; ctr rm -f web'],
  [/context \w+ .*work/, 'ctr context create work --docker host=ssh://me@work.example.com'],
  [/context import/, 'ctr context export work work.dockercontext; ctr context rm work'],
  [
    /network (connect|disconnect|inspect|rm)/,
    'ctr network create backend; ctr network create inside',
  ],
  [/parent=eth0/, 'nsenter -t $DAEMON -n ip link add eth0 type veth peer name cable'],
  [/postgres/, 'ctr run -d --name postgres busybox sleep 100'],
  [/network disconnect/, 'ctr network connect backend web'],
  [/volume (inspect|rm)/, 'ctr volume create data'],
]

/** They speak to somebody else, who is not there: that much they must get to. */
const OUTSIDE = /^ctr (pull|push|login|search)/
const NOBODY = /lookup|resolve|dial|connect|fetch failed|EAI_AGAIN|ENOTFOUND|no such host/i
/** What they leave is as it was. */
const LOOKING =
  /^ctr (attach|build|commit|cp|diff|exec|export|inspect|image inspect|container inspect|logs|port|ps|top|stats|events|history|images|info|version|wait|tag|save|completion|context|pull|push|login|logout|search|system df|update|checkpoint ls)/
/** They go on until somebody ends them. */
const ENDLESS = /^ctr (attach|events( --format json)?$|stats$|logs -f|wait web|exec attach)/
/** By timeout(1). */
const KILLED = 137
const TERMINAL = / -(it|ai) |^ctr login -u me$/

describe('the examples of --help', { skip }, () => {
  let daemon: TestDaemon
  let directory: string
  before(async () => {
    daemon = await startDaemon({
      isIsolated: true,
      args: criu === undefined ? [] : ['--criu-path', criu],
    })
    directory = mkdtempSync('/tmp/ctr-examples-')
    program('ctr', `exec ${daemon.cli.join(' ')} "$@"`)
    // The machine at the other end, with the same engine.
    program('ssh', 'shift; [ "$1" != docker ] || { shift; set -- ctr "$@"; }; exec "$@"')
  })
  after(async () => {
    await daemon[Symbol.asyncDispose]()
    rmSync(directory, { recursive: true })
  })

  function program(name: string, script: string): void {
    writeFileSync(join(directory, name), `#!/bin/sh\n${script}\n`)
    chmodSync(join(directory, name), 0o755)
  }

  async function shell(place: string, script: string, input = ''): ReturnType<typeof run> {
    const env = {
      ...daemon.clientEnvironment,
      HOME: place,
      DAEMON: `${daemon.pid}`,
      PATH: `${directory}:${process.env['PATH'] ?? ''}`,
    }
    return await run(['bash', '-c', `cd ${place}; set -o pipefail; ${script}`], { env, input })
  }

  async function cleanUp(): Promise<void> {
    const script = `ctr rm -fv $(ctr ps -aq); ctr network prune -f; ctr volume prune -af
      ctr secret rm $(ctr secret ls -q); ctr image inspect busybox || ctr load -i ${directory}/kept.tar
      rm -rf ./* .docker .config`
    await shell(join(directory, 'place'), script)
  }

  for (const example of examples) {
    const needsCriu = /checkpoint (create|rm|--)|--import/.test(example) && criu === undefined
    test(example, { skip: needsCriu && 'criu is not usable here' }, async () => {
      const place = join(directory, 'place')
      mkdirSync(place, { recursive: true })
      await shell(place, `[ -e ../kept.tar ] || ctr save -o ../kept.tar busybox`)
      const preparation = PREPARATIONS.flatMap(([pattern, script]) =>
        pattern.test(example) ? [script] : [],
      ).join('\n')
      // Other shells' completion is only printed.
      const line = example
        .replace(/1f2e3d4c5b6a|41859dcd261f/, '$id')
        .replace(/^source <\((ctr completion zsh)\)$/, '$1')
        .replace('| source', '>/dev/null')
      writeFileSync(join(place, 'example.sh'), line)
      const command = TERMINAL.test(example)
        ? 'script -qec "bash example.sh" /dev/null'
        : 'bash -o pipefail example.sh'
      const limit = ENDLESS.test(example) ? 1 : 60
      const { code, stdout, stderr } = await shell(
        place,
        `{ ${preparation || ':'}\n} >prepared 2>&1 </dev/null; export id; timeout -s KILL ${limit} ${command}`,
        TERMINAL.test(example) ? 'exit\n' : 'y\n',
      )
      if (LOOKING.test(example)) await shell(place, 'rm -rf ./* .docker .config')
      else await cleanUp()
      const said = `exit code ${code}\n${stdout.slice(-2000)}${stderr.slice(-2000)}`
      if (OUTSIDE.test(example)) assert.match(stdout + stderr, NOBODY, said)
      else if (ENDLESS.test(example)) assert.ok(code === KILLED || code === 0, said)
      else assert.equal(code, 0, said)
    })
  }
})
