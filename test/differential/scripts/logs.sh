# Logs by time, tail and stream, over a rotation.
set -eu
docker run -d --name chatty --network none --log-opt max-size=20k --log-opt max-file=2 busybox sh -c '
  n=0; while [ $n -lt 2000 ]; do n=$((n+1)); echo "line $n of the log that is turned over"; done; sleep 0.2; echo last >&2' >/dev/null
docker wait chatty
docker logs -n 2 chatty 2>/dev/null
docker logs chatty 2>&1 >/dev/null
first=$(docker logs chatty 2>/dev/null | head -1 | cut -d' ' -f2); [ "$first" -gt 1 ] && echo "the beginning was turned over"
docker logs chatty 2>/dev/null | awk '$2 != last + 1 && last { print "gap at", $2 } { last = $2 } END { print "up to", last }'
docker logs --timestamps -n 1 chatty 2>&1 | grep -cE '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z last$'
since=$(docker logs -t -n 3 chatty 2>/dev/null | head -1 | cut -d' ' -f1)
docker logs --since "$since" chatty 2>/dev/null | tail -2
docker logs --until 2001-01-01T00:00:00Z chatty | wc -l
docker logs --since 1h -n 1 chatty 2>&1
docker rm -f chatty
docker run -d --name ticker --network none busybox sh -c 'for n in 1 2 3; do echo tick $n; sleep 0.2; done' >/dev/null
docker logs -f ticker
docker wait ticker
docker logs -f --tail 1 ticker
docker events --since 10m --until "$(date +%s.%N)" --filter container=ticker --filter event=start --filter event=die --format '{{.Action}} {{.Actor.Attributes.name}}'
docker rm ticker
docker logs ticker || echo "status $?"
