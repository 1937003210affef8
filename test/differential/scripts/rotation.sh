# Logs that do not fill the disk, and what can still be read of them.
set -u
docker run -d --name loud --network none --log-opt max-size=4k --log-opt max-file=3 --log-opt labels=team -l team=blue busybox sh -c 'i=0; while [ $i -lt 400 ]; do echo "line $i"; i=$((i + 1)); done; sleep 0.5; echo wrong >&2; exec sleep 1000' >/dev/null
until docker logs loud 2>&1 | grep -q wrong; do sleep 0.1; done
docker logs --tail 2 loud 2>/dev/null
docker logs loud 2>&1 >/dev/null
docker logs loud 2>/dev/null | sed -n '$p'
[ "$(docker logs loud | wc -l)" -lt 300 ] && echo rotated
docker logs --details --tail 1 loud 2>&1
docker logs -t --tail 1 loud 2>&1 | cut -c1-2,11
docker logs --since 1h --tail 1 loud 2>&1; docker logs --until 1h --tail 1 loud
docker logs --tail nope loud 2>&1 | tail -n 1; docker logs --since nope loud; echo "status $?"
docker inspect -f '{{json .HostConfig.LogConfig}}' loud
docker restart -t 0 loud; until [ "$(docker logs --since "$(docker inspect -f '{{.State.StartedAt}}' loud)" loud 2>&1 | tail -n 1)" = wrong ]; do sleep 0.1; done
(docker logs -f --tail 0 loud >followed; echo "status $?" >>followed) & sleep 1
docker stop -t 0 loud; wait; cat followed
docker run --name silent --network none --log-driver none busybox echo seen
docker logs silent; echo "status $?"
docker run --name compact --network none --log-driver local busybox sh -c 'echo kept; printf "no end"'
docker logs compact; echo; docker logs -t compact | wc -l
docker run --rm --network none --log-opt nope=1 busybox true 2>/dev/null; echo "status $?"
docker run --rm --network none --log-driver nope busybox true 2>/dev/null; echo "status $?"
docker rm loud silent compact
