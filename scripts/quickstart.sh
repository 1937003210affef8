#!/bin/sh
# The second half of `npm run quickstart`: a daemon that answers, a container that ran, and what to try next.
set -eu
daemon=
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
ctr=$root/bin/ctr
socket=${CTR_HOST:-unix:///var/run/ctr.sock}
log=/var/log/ctrd.log

say() { echo "==> $*"; }
answers() { "$ctr" -H "$socket" version >/dev/null 2>&1; }
show() { # Print a ctr command as a person would type it, then run it.
  printf '\n$ ctr'
  for word in "$@"; do case $word in *[!A-Za-z0-9_./:=-]*) printf " '%s'" "$word" ;; *) printf ' %s' "$word" ;; esac done
  echo
  "$ctr" -H "$socket" "$@"
}

if answers; then
  say "ctrd answers on $socket"
else
  say "starting ctrd on $socket (log: $log)"
  setsid "$root/bin/ctrd" -H "$socket" >>"$log" 2>&1 </dev/null &
  daemon=$!
  tries=0
  until answers; do
    tries=$((tries + 1))
    if ! kill -0 "$daemon" 2>/dev/null || [ $tries -gt 150 ]; then
      tail -n 20 "$log" >&2
      echo "quickstart: ctrd does not answer on $socket; the end of $log is above" >&2
      exit 1
    fi
    sleep 0.1
  done
fi

# An engine without any image makes this one from the static busybox when it starts; that takes a second.
tries=0
until "$ctr" -H "$socket" image inspect busybox >/dev/null 2>&1; do
  tries=$((tries + 1))
  if [ -z "${daemon:-}" ] || [ $tries -gt 150 ]; then
    echo "quickstart: this engine has images, but none called 'busybox'. One is made when ctrd starts without any image." >&2
    exit 1
  fi
  sleep 0.1
done

say 'first containers: a program, its view of the processes, its network'
show run --rm busybox echo 'hello from a container'
show run --rm busybox ps
show run --rm -m 64m --hostname first busybox sh -c 'hostname; ip -4 -o addr show eth0'
show images
show ps -a

cat <<EOT

It worked. To try next (from any directory; put $root/bin on your PATH):

  ctr run -it --rm busybox                 a shell of your own
  ctr run -d --name web -p 8080:80 busybox sh -c 'mkdir /www; echo it works >/www/index.html; httpd -f -h /www'
  curl http://127.0.0.1:8080/              its answer
  ctr logs -f web · ctr exec -it web sh · ctr stop web · ctr rm web
  ctr run --explain busybox true           the exact system calls of a start
  curl --unix-socket ${socket#unix://} http://ctr/containers/json
  DOCKER_HOST=$socket docker ps            Docker's own client works, too

The daemon stays: it logs to $log and ends with SIGTERM (pid $(cat /var/run/ctrd.pid 2>/dev/null || echo '?')); containers outlive it.
As a service of systemd, and how to remove all of it: docs/install.md
EOT
