# A database for development: settings from a file, data in a volume, ready when its health check says so, the same after a restart.
set -eu
printf '# settings of the database\nDB_NAME=shop\nDB_PASSWORD=a b "c" $d\nEMPTY=\n' >db.env
docker volume create db-data >/dev/null
start() {
  docker run -d --name db --network none --env-file db.env -v db-data:/var/db \
    --health-cmd 'test -e /tmp/ready' --health-interval 200ms --health-retries 30 --health-start-period 1m --health-timeout 2s --stop-signal INT busybox sh -c '
      trap "echo saved >>/var/db/log; exit 0" INT
      sleep 1; echo "$DB_NAME [$DB_PASSWORD] [$EMPTY]" >>/var/db/log; touch /tmp/ready
      while :; do sleep 0.1; done' >/dev/null
}
healthy() { # name, what is waited for
  i=0; until [ "$(docker inspect -f '{{.State.Health.Status}}' "$1")" = "$2" ] || [ $i -gt 100 ]; do i=$((i + 1)); sleep 0.1; done
  docker inspect -f '{{.State.Status}} {{.State.Health.Status}}' "$1"
}
start
docker ps --format '{{.Names}} {{.Status}}'
healthy db healthy
docker ps --filter health=healthy --format '{{.Names}} {{.Status}}'
docker inspect -f '{{json .Config.Healthcheck}} {{.State.Health.FailingStreak}}' db
docker exec db cat /var/db/log
docker exec db rm /tmp/ready
healthy db unhealthy
docker ps --format '{{.Names}} {{.Status}}'
docker stop db
docker inspect -f '{{.State.ExitCode}} {{.State.Health.Status}}' db
docker start db
healthy db healthy
docker rm -f db
start
healthy db healthy
docker exec db cat /var/db/log
docker rm -fv db
docker volume ls -q
docker volume rm db-data
docker inspect -f '{{.State.Health}}' ref1 2>&1 || true
