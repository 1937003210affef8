#!/bin/sh
# Set-up for a fresh clone, then what was asked for: `setup.sh [setup|quickstart|test] [arguments]`.
# Run by `npm run quickstart` and `npm test`. Needs root, apt, Node 18 and npm; brings everything else itself: Debian packages,
# pnpm (into .build/), Node 24 (from npm, into node_modules/), ctr-shim, ctr-files, bin/ctr and bin/ctrd. Every step is skipped when a
# stamp of its inputs says that it is done, so a second run takes about a second.
set -eu

PNPM_VERSION=12.21.0
NODE_MINIMUM=18
# What apt, npm and pnpm say when they reach nobody.
NO_NETWORK='Temporary failure resolving|Could not (resolve|connect)|Unable to connect|EAI_AGAIN|ENOTFOUND|ENETUNREACH|EHOSTUNREACH|ECONNREFUSED|ECONNRESET|ETIMEDOUT|dns error|error sending request'
# What they say when somebody between speaks TLS in the name of others.
FOREIGN_CA='SELF_SIGNED_CERT|UNABLE_TO_(GET_ISSUER|VERIFY_LEAF)|self-signed certificate|unable to get local issuer|UnknownIssuer|Certificate verification failed'

# Debian and Ubuntu packages, each with what it is for.
ENGINE_PACKAGES='gcc|compiles ctr-shim, the small native process beside each container
libc6-dev|headers and the static C library for ctr-shim and ctr-files
make|builds them
libseccomp2|compiles the system-call policy of containers
libnftables1|firewall rules: NAT and published ports
busybox-static|the content of the default image "busybox"
procps|ps, for `ctr top`
xz-utils|images packed with xz
bzip2|images packed with bzip2
curl|the examples of README and quickstart'
TEST_PACKAGES='docker-registry|a local registry for the image tests
nftables|tests look at the firewall rules
iproute2|tests look at the network devices
iputils-ping|tests reach containers with ping'

main() {
  mode=${1:-setup}
  [ $# -eq 0 ] || shift
  case $mode in setup | quickstart | test) ;; *) die "unknown mode '$mode': expected setup, quickstart or test" ;; esac
  root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
  cd "$root"
  # dpkg and ctrd need programs of /usr/sbin, which is not on the PATH after `su`.
  PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
  check_machine
  mkdir -p .build/stamps bin
  log=$root/.build/setup.log
  exec 9>.build/setup.lock
  flock -n 9 || { say 'waiting for another set-up in this folder'; flock 9; }
  : >"$log"

  if [ "$mode" = test ]; then install_packages "$ENGINE_PACKAGES
$TEST_PACKAGES"; else install_packages "$ENGINE_PACKAGES"; fi
  install_pnpm
  install_modules
  build_native shim ctr-shim
  build_native images ctr-files
  # Without it bin/ctr can do little.
  [ -x apps/cli/dist/ctr ] || rm -f .build/stamps/cli
  build_program cli ctr 'the command line; a small program in C, and one executable by bun' packages/client packages/options packages/api packages/errdefs packages/template
  build_program runtime ctr-runtime 'an OCI runtime; one executable, by bun' packages/api/src packages/errdefs packages/linux packages/oci packages/shim/src
  build_program daemon ctrd 'the daemon; some files for Node, by bun' packages/*/src
  [ "$mode" != test ] || fetch_criu
  exec 9>&-

  node=$root/node_modules/.bin/node
  case $mode in
    setup) say 'ready: bin/ctrd, bin/ctr and bin/ctr-runtime' ;;
    quickstart) exec sh scripts/quickstart.sh "$@" ;;
    # What users run is tested, not its source.
    test) CTR_TEST_CTRD=$root/bin/ctrd exec "$node" scripts/test.ts "$@" ;;
  esac
}

# Says everything that is missing at once, not one thing per run.
check_machine() {
  problems=
  case $mode in test) again='npm test' ;; *) again="npm run $mode" ;; esac
  [ "$(uname -s)" = Linux ] || problem "a Linux kernel (this is $(uname -s)): containers are a feature of Linux. Use a Linux machine or VM."
  case $(uname -m) in x86_64 | aarch64) ;; *) problem "an x86_64 or aarch64 processor (this is $(uname -m))" ;; esac
  [ "$(id -u)" = 0 ] || problem "root (you are $(id -un)): namespaces, mounts, cgroups and packages need it. Become root, or: sudo $again"
  [ "$mode" = setup ] || [ "$(id -u)" != 0 ] || has_capabilities || problem "CAP_NET_ADMIN and CAP_SYS_ADMIN, which this root does not have: in a container, start that one with --privileged"
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    problem "Debian 12/13 or Ubuntu (this is $(system_name), without apt-get). On another system with glibc install the counterparts of
    these packages and go on as CONTRIBUTING.md says, or run the tests in a container: docker-compose.test.yml
$(echo "$ENGINE_PACKAGES" | sed 's/|/  - /; s/^/      /')"
  fi
  if ! command -v node >/dev/null; then
    problem "Node $NODE_MINIMUM or newer, to begin with (apt-get install nodejs npm)"
  elif ! node -e "process.exit(parseInt(process.versions.node) >= $NODE_MINIMUM ? 0 : 1)"; then
    problem "Node $NODE_MINIMUM or newer (this is $(node --version); Debian 12 and Ubuntu 24.04 are the first to bring one, https://nodejs.org has others)"
  fi
  case $mode in
    test) ! is_overlay /tmp || problem "a /tmp that is no overlay, for the containers of the tests: in a container, start that with --tmpfs /tmp:exec,dev,suid" ;;
    quickstart) ! is_overlay /var/lib/ctr || problem "a /var/lib/ctr that is no overlay, for the files of containers: in a container, start that with -v /var/lib/ctr" ;;
  esac
  command -v npm >/dev/null || problem "npm (apt-get install npm; then: $again)"
  [ -z "$problems" ] || { printf 'ctr needs, and this machine does not have:\n%s' "$problems" >&2; exit 1; }
}

has_capabilities() { # linux/capability.h: 12 is CAP_NET_ADMIN, 21 is CAP_SYS_ADMIN
  mask=$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status 2>/dev/null)
  [ -z "$mask" ] || [ $((0x$mask >> 12 & 0x$mask >> 21 & 1)) = 1 ]
}

is_overlay() { # a directory that may not be there yet; the kernel makes no overlay upon an overlay
  place=$1
  until [ -d "$place" ]; do place=$(dirname "$place"); done
  [ "$(stat -f -c %T "$place" 2>/dev/null)" = overlayfs ]
}

system_name() { # as the system calls itself: os-release(5)
  (. /etc/os-release 2>/dev/null && echo "${PRETTY_NAME:-${NAME:-unknown system}}") || echo 'unknown system'
}

install_packages() {
  missing= names=
  while IFS='|' read -r name reason; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null || true)" = installed ] && continue
    [ -n "$missing" ] || say 'packages to install from the distribution:'
    echo "      $name: $reason"
    missing="$missing $name"
  done <<EOT
$1
EOT
  [ -n "$missing" ] || return 0
  say "apt-get install$missing"
  export DEBIAN_FRONTEND=noninteractive
  # shellcheck disable=SC2086
  if ! apt-get -o DPkg::Lock::Timeout=120 install -y --no-install-recommends $missing >>"$log" 2>&1; then
    # The list of packages may be old or empty (fresh machine, container image).
    logged 'apt-get update' apt-get update
    logged 'apt-get install' apt-get -o DPkg::Lock::Timeout=120 install -y --no-install-recommends $missing
  fi
}

# pnpm is a native program: npm only fetches it. It stays in the clone, and whatever pnpm the machine has is not used.
install_pnpm() {
  pnpm=$root/.build/pnpm/node_modules/.bin/pnpm
  [ -x "$pnpm" ] && [ "$(cat .build/stamps/pnpm 2>/dev/null)" = "$PNPM_VERSION" ] && return 0
  say "pnpm $PNPM_VERSION, the package manager of this workspace (from npm, into .build/pnpm)"
  mkdir -p .build/pnpm
  echo '{"private":true}' >.build/pnpm/package.json
  logged 'npm install pnpm' npm install --prefix "$root/.build/pnpm" --no-save --no-package-lock --no-audit --no-fund --fetch-retry-maxtimeout=10000 "pnpm@$PNPM_VERSION"
  "$pnpm" --version >>"$log" 2>&1 || die "pnpm does not run, see $log"
  echo "$PNPM_VERSION" >.build/stamps/pnpm
}

install_modules() {
  stamp=$(hash pnpm-lock.yaml pnpm-workspace.yaml package.json packages/*/package.json apps/*/package.json)
  done_before modules "$stamp" node_modules/.bin/node && return 0
  say 'npm packages of the workspace, Node 24 among them (pnpm install)'
  # CI=true: no questions, the lockfile is the law.
  CI=true logged 'pnpm install' "$pnpm" install --frozen-lockfile
  node_modules/.bin/node --version >>"$log" 2>&1 || die "Node 24 from npm does not run, see $log"
  echo "$stamp" >.build/stamps/modules
}

build_native() { # name of the package, name of the program
  stamp=$(hash_tree "packages/$1/native")
  done_before "native-$1" "$stamp" "packages/$1/native/build/$2" && return 0
  say "$2 (make)"
  logged make make -C "packages/$1/native"
  echo "$stamp" >".build/stamps/native-$1"
}

build_program() { # name of the app, name of the executable, what it is, the rest: directories it is made of
  app=$1 program=$2 what=$3
  shift 3
  stamp=$(hash_tree "apps/$app" "$@")
  done_before "$app" "$stamp" "bin/$program" && return 0
  say "bin/$program ($what)"
  logged "build of $program" "$pnpm" --dir "apps/$app" run build
  [ -x "bin/$program" ] || die "the build left no bin/$program, see $log"
  echo "$stamp" >".build/stamps/$app"
}

# Without it the tests of checkpoints are skipped, with a message.
fetch_criu() {
  case $(criu --version 2>/dev/null | sed -n 's/^Version: *//p') in [4-9]* | [1-9][0-9]*) return 0 ;; esac
  [ ! -x .build/criu/criu ] || return 0
  say 'criu 4, for the tests of checkpoints (scripts/fetch-criu.sh, into .build/criu)'
  sh scripts/fetch-criu.sh >>"$log" 2>&1 9>&- || echo "      none to be had, see $log: those tests are skipped"
}

done_before() { # name, stamp, product
  [ -e "$3" ] && [ "$(cat ".build/stamps/$1" 2>/dev/null)" = "$2" ]
}

hash() { cat -- "$@" | sha256sum | cut -d' ' -f1; }

# Content of what a step reads; products and modules are left out.
hash_tree() {
  find "$@" -name node_modules -prune -o -path '*/native/build' -prune -o -path 'apps/*/dist' -prune -o -type f -print | LC_ALL=C sort | xargs -d '\n' sha256sum | sha256sum | cut -d' ' -f1
}

# Run a step's command with its output in the log; show the end of the log if it fails.
logged() {
  what=$1
  shift
  echo "\$ $*" >>"$log"
  begin=$(wc -l <"$log")
  "$@" >>"$log" 2>&1 9>&- && return 0
  distrusted=$(tail -n "+$begin" "$log" | grep -E "$FOREIGN_CA" | cut -c1-200 | head -n 3)
  if [ -n "$distrusted" ]; then
    printf '%s\n' "$distrusted" >&2
    die "$what failed: is there a proxy with a certificate of its own? Name the file of its authority, then run the same command again:
  NODE_EXTRA_CA_CERTS=FILE in the environment (npm), 'cafile=FILE' in ~/.npmrc (pnpm), /usr/local/share/ca-certificates and update-ca-certificates (apt). All of it: $log"
  fi
  offline=$(tail -n "+$begin" "$log" | grep -E "$NO_NETWORK" | cut -c1-200 | head -n 3)
  if [ -n "$offline" ]; then
    printf '%s\n' "$offline" >&2
    die "$what failed: is there no network? Set-up fetches from the archive of the distribution and from the registry of npm.
  Behind a proxy set http_proxy and https_proxy; then the same command goes on where this one ended. All of it: $log"
  fi
  tail -n "+$begin" "$log" | tail -n 40 >&2
  die "$what failed; everything it said is in $log"
}

say() { echo "==> $*"; }
problem() { problems="$problems  - $*
"; }
die() { echo "setup: $*" >&2; exit 1; }

main "$@"
