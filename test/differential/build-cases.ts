import type { ImageFile } from '@ctr/testkit'

/** One build on both engines: the same answer, history, configuration and files. */
export interface BuildCase {
  readonly name: string
  readonly dockerfile: string
  readonly files?: readonly ImageFile[]
  /** Behind `rm=1&t=NAME`. */
  readonly query?: Readonly<Record<string, string>>
}

/** What is where, with owner and mode. */
const LIST = `RUN for f in $(find /d /e /bin2 /home 2>/dev/null | sort); do stat -c '%n %a %u:%g %F' $f; [ -f $f ] && cat $f; [ -L $f ] && readlink $f; done 2>&1; true`

const TREE: readonly ImageFile[] = [
  { path: 'a', content: 'a\n' },
  { path: 'b.txt', content: 'b\n', mode: 0o600, uid: 5, gid: 6 },
  { path: 'sub/', type: 'directory', mode: 0o700, uid: 7, gid: 8 },
  { path: 'sub/c.txt', content: 'c\n', mode: 0o4755 },
  { path: 'sub/deep/', type: 'directory' },
  { path: 'sub/deep/d', content: 'd\n' },
  { path: 'sub/link', type: 'symlink', target: 'deep/d' },
  { path: 'link', type: 'symlink', target: 'sub/c.txt' },
  { path: 'dirlink', type: 'symlink', target: 'sub' },
  { path: 'out', type: 'symlink', target: '/etc' },
  { path: 'sub/hard', type: 'hardlink', target: 'sub/c.txt', mode: 0o4755 },
  { path: 'pipe', type: 'fifo' },
]

/** `FROM busybox`, and a listing at the end. */
function copies(name: string, ...lines: readonly string[]): BuildCase {
  return { name, files: TREE, dockerfile: ['FROM busybox', ...lines, LIST].join('\n') }
}

function fails(name: string, ...lines: readonly string[]): BuildCase {
  return { name, files: TREE, dockerfile: ['FROM busybox', ...lines].join('\n') }
}

export const BUILD_CASES: readonly BuildCase[] = [
  {
    name: 'every instruction that sets something',
    query: {
      buildargs: '{"FOO":"zed","UN":"x","HTTP_PROXY":"p"}',
      labels: '{"zz":"1","aa":"2 3"}',
    },
    dockerfile: `# a comment
# escape=\\
ARG V=latest
FROM busybox:$V AS base
MAINTAINER me <me@x>
ENV A=b C="d e" \\
    F=$A
ENV old value  here
ENV G=\${A:-x}-\${NONE:-none}-\${A:+set} H='$A' I="$A \\"q\\"" J=\\$A K=$A$A
LABEL x=1 y="two words" "quoted key"=z
ARG FOO=bar
ARG NODEF MORE=$FOO
RUN echo $FOO $MORE $HTTP_PROXY > /hi; cat /hi; env | grep -v HOSTNAME | sort
RUN ["/bin/sh", "-c", "echo exec; echo err >&2"]
WORKDIR /work
WORKDIR sub/../other/
WORKDIR $A
RUN pwd
USER 1000:50
EXPOSE 80 443/tcp 1000-1002/udp
HEALTHCHECK --interval=5s --timeout=1m30s --retries=3 CMD echo ok
HEALTHCHECK NONE
SHELL ["/bin/sh", "-ec"]
STOPSIGNAL SIGINT
ONBUILD RUN echo onbuild
CMD echo shell form
ENTRYPOINT ["/bin/echo", "x"]
FROM base
COPY --from=0 /hi /hi2
CMD ["sh"]
`,
  },
  {
    name: 'volumes, whose content at a RUN is gone after it',
    dockerfile:
      'FROM busybox\nVOLUME /v1 /v2\nVOLUME ["/v3", "/v 4"]\nRUN echo a > /v1/a; ls /v1\nRUN ls /v1\n',
  },
  copies('files to a directory', 'COPY a b.txt /d/'),
  copies('a file under another name', 'COPY a /d/x/y'),
  copies('a file to a directory that is there', 'RUN mkdir -m 711 /d', 'COPY a /d'),
  copies('all of the context', 'COPY . /d'),
  copies('all of the context into the working directory', 'WORKDIR /d/w', 'COPY . .'),
  copies('a directory', 'COPY sub /d'),
  copies('a directory with slashes', 'COPY sub/ /d/'),
  copies('a directory onto one that is there', 'RUN mkdir -p -m 711 /d/deep', 'COPY sub /d'),
  copies('directories side by side', 'COPY sub sub/deep /d/'),
  copies('by a pattern', 'COPY *.txt /d/'),
  copies('by a pattern with a directory', 'COPY sub/*.txt su?/deep [a-b]* /d/'),
  copies('symlinks, which are followed', 'COPY link /d/', 'COPY dirlink /e/'),
  copies('with an owner', 'COPY --chown=3:4 sub /d/', 'COPY --chown=root a /e'),
  copies('to the place that a symlink names', 'RUN mkdir /e; ln -s e /d', 'COPY a sub /d/'),
  copies('to a file, by a symlink', 'RUN mkdir /e; ln -s /e/x /d', 'COPY a /d'),
  copies('in JSON form', 'COPY ["a", "sub/deep/d", "/d/with space/"]', 'RUN ls "/d/with space"'),
  copies('over what is there', 'RUN mkdir -p /d/a; echo old > /d/b.txt', 'COPY . /d'),
  copies('a directory over a symlink', 'RUN mkdir -p /d /e; ln -s /e /d/deep', 'COPY sub /d'),
  copies('by variables', 'ARG W=sub', 'ENV X=d', 'COPY $W/$X*p /$X'),
  copies('what is ADDed', 'ADD a sub /d/'),
  {
    name: 'from another stage, with its owners',
    files: TREE,
    dockerfile: `FROM busybox AS one
RUN mkdir -p /src/x; echo 1 > /src/x/f; chown 4:5 /src/x /src/x/f; chmod 750 /src/x; ln -s x /src/l; rm /bin/ls
FROM busybox
COPY --from=one /src /d/
COPY --from=0 --chown=1:2 /src/l /e/
COPY --from=busybox /etc/passwd /bin2/
${LIST}
`,
  },
  {
    name: 'ADD unpacks archives',
    files: [{ path: 'f.tar', content: 'ARCHIVE' }, ...TREE],
    dockerfile: `FROM busybox\nADD f.tar /d/\nADD f.tar /e\nCOPY f.tar /home/\n${LIST.replace('cat $f', 'wc -c < $f')}`,
  },
  {
    name: 'a stage as a target',
    query: { target: 'ONE' },
    dockerfile: 'FROM busybox AS one\nRUN echo one\nFROM busybox\nRUN exit 1\n',
  },
  {
    name: 'a stage as a base, and scratch',
    files: TREE,
    dockerfile:
      'FROM scratch AS empty\nCOPY a /d/\nENV A=1\nFROM empty\nCOPY --from=empty /d /e\nWORKDIR /w\nENTRYPOINT ["/x"]\n',
  },
  {
    name: 'a Dockerfile elsewhere, and .dockerignore',
    files: [
      { path: 'sub2/File', content: 'FROM busybox\nCOPY . /d\nRUN find /d | sort\n' },
      { path: '.dockerignore', content: '# nothing\n.dockerignore\nsub2/File\n' },
    ],
    query: { dockerfile: 'sub2/File' },
    dockerfile: 'FROM nothing',
  },
  {
    name: 'another escape',
    dockerfile:
      '# escape=`\nFROM busybox\nRUN echo a `\n  b\nENV A=C:\\dir B=`$A\nRUN echo "$A" "$B"\n',
  },
  { name: 'quiet', query: { q: '1' }, dockerfile: 'FROM busybox\nLABEL a=b\n' },
  { name: 'quiet, and failing', query: { q: '1' }, dockerfile: 'FROM busybox\nRUN exit 4\n' },
  {
    name: 'empty continuation lines',
    dockerfile: 'FROM busybox\nRUN echo a \\\n\n  b \\\n# c\n c\n',
  },
  { name: 'windows line ends', dockerfile: 'FROM busybox\r\nRUN echo a \\\r\n  b\r\nENV A=b\r\n' },
  copies('what a RUN finds', 'RUN ls -la /.dockerenv /etc/mtab | cut -c 1-10; cat /.dockerenv'),
  copies('WORKDIR as it is written', 'WORKDIR /d/', 'WORKDIR x', 'WORKDIR /e/./y/', 'RUN pwd'),
  copies('ports of a host', 'EXPOSE 8080:80 0.0.0.0:81:82/udp', 'ENV A=${10}$10'),
  copies('no commands', 'CMD []', 'ENTRYPOINT', 'HEALTHCHECK --retries=+3 CMD x'),
  fails('WORKDIR of nothing', 'WORKDIR $NOPE'),
  fails('WORKDIR on a file', 'RUN touch /f', 'WORKDIR /f'),
  fails('a volume of nothing', 'VOLUME $NOPE'),
  fails('a duration below zero', 'HEALTHCHECK --interval=-1s CMD x'),
  fails('SHELL without words', 'SHELL'),
  { name: 'a trigger that is unknown', dockerfile: 'FROM busybox AS b\nONBUILD FOO x\nFROM b\n' },
  fails('this stage', 'COPY --from=0 /a /b'),
  fails('a stage before the first', 'COPY --from=-1 /a /b'),
  fails('scratch', 'COPY --from=scratch / /b'),
  fails('a file that an image does not have', 'COPY --from=busybox /nope /b'),
  fails('a URL to COPY', 'COPY http://127.0.0.1/x /d/'),
  fails('one path', 'COPY a'),
  {
    name: 'patterns of names that are not ASCII',
    files: [{ path: 'é.txt', content: 'x' }],
    dockerfile: `FROM busybox\nCOPY ?.txt /d/\nCOPY [^a-z].* /e/\n${LIST}`,
  },
  {
    name: 'ADD of an archive with an owner',
    files: [{ path: 'f.tar', content: 'ARCHIVE' }],
    dockerfile: `FROM busybox\nADD --chown=4:5 f.tar /d/x/\n${LIST.replace('cat $f', 'wc -c < $f')}`,
  },
  { name: 'an escape that is none', dockerfile: '# escape=x\nFROM busybox\n' },
  fails('a command that fails', 'RUN echo out; exit 3'),
  fails('an unknown instruction', 'FOO bar'),
  fails('a file that is not there', 'COPY nope /x'),
  fails('a pattern of nothing', 'COPY nope* /x'),
  fails('a path out of the context', 'COPY ../x /x'),
  fails('a path out of the context by a link', 'COPY out/passwd /x'),
  fails('an unknown flag', 'COPY --foo=1 a /x'),
  fails('no value', 'ENV A'),
  fails('numbers in JSON', 'CMD ["a", 1]'),
  fails('a brace that is open', 'ENV A=${B'),
  fails('a bad modifier', 'ENV A=${B:*x}'),
  fails('an open quote', 'LABEL A="b'),
  fails('no argument', 'USER'),
  fails('several files to no directory', 'COPY a b.txt /x'),
  fails('a signal that is none', 'STOPSIGNAL foo'),
  fails('FROM as a trigger', 'ONBUILD FROM x'),
  fails('ONBUILD as a trigger', 'ONBUILD ONBUILD RUN x'),
  fails('a duration without a unit', 'HEALTHCHECK --interval=1 CMD x'),
  fails('a stage that is not there', 'COPY --from=9 /a /b'),
  fails('a mount', 'RUN --mount=type=cache,target=/x true'),
  fails('an owner that is not there', 'COPY --chown=nope a /x'),
  fails('SHELL without JSON', 'SHELL sh'),
  fails('a name of a stage twice', 'FROM busybox AS x', 'FROM busybox as X'),
  { name: 'no stage', dockerfile: 'RUN x\n' },
  { name: 'nothing', dockerfile: '' },
  { name: 'comments only', dockerfile: '# a\n\n# b\n' },
  { name: 'scratch only', dockerfile: 'FROM scratch\n' },
  { name: 'a name of a stage with a digit', dockerfile: 'FROM busybox AS 1x\n' },
  { name: 'FROM of two words', dockerfile: 'FROM busybox AS\n' },
  { name: 'a target that is not there', query: { target: 'x' }, dockerfile: 'FROM busybox\n' },
  { name: 'no Dockerfile', query: { dockerfile: 'Nope' }, dockerfile: 'FROM busybox\n' },
  { name: 'squash', query: { squash: '1' }, dockerfile: 'FROM busybox\n' },
]
