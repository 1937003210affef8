# Cleaning up with filters, formats, xargs and prune.
set -eu
for n in 1 2 3; do docker run --name "old$n" --network none --label job=nightly --label "n=$n" busybox sh -c "exit $n" || true; done
docker run -d --name keep --network none --label job=nightly --label keep busybox sleep 1000 >/dev/null
docker create --name never --network none -v /anonymous busybox true >/dev/null
docker ps -a --filter label=job=nightly --format '{{.Names}} {{.Label "n"}}' | sort
docker ps -aq --filter status=exited --filter exited=2 | xargs docker inspect -f '{{.Name}} {{.State.ExitCode}}'
docker ps -a --filter status=exited --format '{{.Names}}' | sort | xargs -n 1 docker rm
docker ps -aq --filter label=nosuch | xargs -r docker rm
docker tag busybox:latest temp:1; docker tag busybox:latest temp:2
docker images --filter reference='temp:*' --format '{{.Repository}}:{{.Tag}}' | sort | xargs docker rmi
docker container prune -f --filter 'label!=keep' | sed 's/^[0-9a-f]\{64\}$/ID/'
docker volume ls -q --filter dangling=true | wc -l
docker volume create named >/dev/null
docker volume prune -f >/dev/null
docker volume ls -q --filter dangling=true --filter name=named
docker network create a1 >/dev/null; docker network create --label k=v a2 >/dev/null
docker network prune -f --filter label=k=v
docker network ls --filter type=custom --format '{{.Name}}'
docker system prune -f --filter label=zzz
docker inspect --format '{{.Name}}' keep nosuch || echo "status $?"
docker rm -f keep nosuch; docker network rm a1; docker volume rm named 2>/dev/null || true
docker ps -a --filter label=job=nightly -q | wc -l
docker stop never 2>&1 | head -1 || true
