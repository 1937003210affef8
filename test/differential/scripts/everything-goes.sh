# A machine is emptied, and what is in use stays.
set -u
docker network create used >/dev/null; docker network create idle >/dev/null
docker volume create named >/dev/null
docker run -d --name lives --network used -v kept:/k busybox sleep 1000 >/dev/null
docker run --name dead --network none -v /anonymous -v named:/n busybox sh -c 'echo x >/x'
docker commit dead old:1 >/dev/null; docker commit dead old:1 >/dev/null; docker tag old:1 old:2
docker images --filter dangling=true -q | wc -l
docker container prune -f --filter label=nope | tail -n 1
docker container prune -f --filter until=24h | tail -n 1
echo n | docker container prune; echo "status $?"
docker container prune -f | grep -v '^[0-9a-f]\{64\}'
docker image prune -f | grep -v -E '^(deleted|untagged)'
docker images -q | sort -u | wc -l
docker image prune -a -f --filter until=24h | tail -n 1
docker image prune -a -f | grep -E '^untagged' | sort
docker volume prune -f --filter label=nope | tail -n 1
docker volume prune -f | grep -v '^[0-9a-f]\{64\}'
docker network prune -f
docker system prune -f | tail -n 1
docker system prune -a -f --volumes | tail -n 1
docker ps -a --format '{{.Names}}' | sort; docker volume ls -q | sort; docker network ls --format '{{.Name}}' | sort; docker images --format '{{.Repository}}'
docker rm -f lives; docker volume rm kept; docker network rm used
