#!/bin/sh
# criu 4 for the tests of checkpoints, where the distribution's release has none: Debian's development suite, through the
# mirror that apt is configured with, unpacked with its libraries into .build/criu. Nothing on the system is changed.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
target=$root/.build/criu
suite=${1:-sid}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

die() { echo "fetch-criu: $*" >&2; exit 1; }

[ -x "$target/criu" ] && "$target/criu" --version >/dev/null 2>&1 && exit 0
[ -r "$keyring" ] || die 'this is no Debian: install criu 4 yourself and set CTR_TEST_CRIU'
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Origin: Debian' 2>/dev/null | grep -v security | head -n 1)
[ -n "$mirror" ] || die 'apt has no mirror of Debian: install criu 4 yourself and set CTR_TEST_CRIU'

rm -rf "$target"
mkdir -p "$target/apt/lists/partial" "$target/apt/archives/partial" "$target/root"
: >"$target/apt/status"
echo "deb [signed-by=$keyring] $mirror $suite main" >"$target/apt/sources.list"
# An apt of its own: it knows nothing of what is installed, so it fetches every library, the C library too.
cat >"$target/apt/apt.conf" <<EOT
Dir::State "$target/apt";
Dir::State::status "$target/apt/status";
Dir::Cache "$target/apt";
Dir::Etc::sourcelist "$target/apt/sources.list";
Dir::Etc::sourceparts "/nonexistent";
APT::Sandbox::User "root";
Acquire::Languages "none";
EOT
export APT_CONFIG="$target/apt/apt.conf"
apt-get -q update >"$target/log" 2>&1 || die "apt-get update failed, see $target/log"
apt-get -q -y --no-install-recommends --download-only install criu >>"$target/log" 2>&1 || die "apt-get failed, see $target/log"
for package in "$target"/apt/archives/*.deb; do
  dpkg-deb -x "$package" "$target/root"
done
rm -rf "$target/apt"

# The libraries are not the system's: with their own loader.
loader=$(find "$target/root/usr" -name 'ld-linux*.so.*' | head -n 1)
libraries=$(dirname "$(find "$target/root/usr/lib" -name 'libc.so.6' | head -n 1)")
cat >"$target/criu" <<EOT
#!/bin/sh
exec "$loader" --library-path "$libraries" "$target/root/usr/sbin/criu" "\$@"
EOT
chmod 755 "$target/criu"
"$target/criu" --version || die "what was fetched does not run, see $target/log"
