# Two versions of a service behind one name: the new one takes over when it is healthy, a bad one does not.
set -eu
docker network create shop >/dev/null
serve() { # name answer
  docker run -d --name "$1" --network shop --label tier=web --restart unless-stopped --init \
    --health-cmd 'wget -qO- http://127.0.0.1:8080/ >/dev/null' --health-interval 200ms --health-timeout 2s --health-retries 3 \
    busybox sh -c "mkdir /www; [ $2 = bad ] || echo $2 >/www/index.html; exec httpd -f -p 8080 -h /www" >/dev/null
}
wait_for() { # name
  tries=0
  while :; do
    state=$(docker inspect -f '{{.State.Health.Status}}' "$1")
    case $state in healthy) return 0 ;; unhealthy) return 1 ;; esac
    tries=$((tries + 1)); [ $tries -lt 300 ] || return 1
    sleep 0.1
  done
}
switch_to() { # name
  if wait_for "$1"; then
    for old in $(docker ps -q --filter label=live); do docker rm -f "$old" >/dev/null; done
    docker network disconnect shop "$1"
    docker network connect --alias web shop "$1"
    echo "live: $1"
  else
    echo "kept: $1 is $(docker inspect -f '{{.State.Health.Status}}' "$1")"
    docker inspect -f '{{(index .State.Health.Log 0).ExitCode}}' "$1"
    docker rm -f "$1"
  fi
}
ask() { docker run --rm --network shop busybox wget -qO- http://web:8080/; }
serve blue v1; switch_to blue; ask
serve green v2; switch_to green
docker stop -t 1 blue; ask
serve red bad; switch_to red; ask
docker ps --filter label=tier=web --format '{{.Names}}: {{.Label "tier"}}' | sort
docker ps -a --filter name=blue --filter status=exited --format '{{.Names}} {{.State}}'
docker inspect -f '{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.Init}} {{json .Config.Healthcheck.Test}}' green
docker rm -f blue green
docker network rm shop
