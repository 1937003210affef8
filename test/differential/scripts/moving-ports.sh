# A container keeps its published ports while it goes from network to network.
set -e
docker network create blue >/dev/null
docker network create azure >/dev/null
docker network create --internal inside >/dev/null
docker run -d --name web --network blue -p 18080:80 -p 18081:81/udp busybox \
  sh -c 'mkdir /www; echo page >/www/index.html; exec httpd -f -p 80 -h /www' >/dev/null

state() {
  echo "$1"
  docker port web
  docker inspect -f '{{json .NetworkSettings.Ports}}' web
  docker inspect -f '{{range $name, $net := .NetworkSettings.Networks}}{{$name}} {{end}}' web
  docker exec web sh -c "ip route | sed -n 's/^default via \([0-9.]*\) .*/\1/p'" |
    while read -r gateway; do
      docker network inspect -f "{{range .IPAM.Config}}{{if eq .Gateway \"$gateway\"}}{{\$.Name}} is the way out{{end}}{{end}}" blue azure inside
      docker exec web timeout 10 wget -qO- "http://$gateway:18080/"
    done
}

state 'on blue'
docker network connect azure web
state 'azure before blue'
docker network connect inside web
state 'and inside'
docker network disconnect azure web
state 'without azure'
docker network connect azure web
docker network disconnect blue web
state 'without blue'
docker network disconnect inside web
docker network disconnect azure web
state 'without any'
docker network connect blue web
state 'blue again'
docker restart -t 0 web >/dev/null
state 'after a restart'
docker create --name two --network blue -p 18082:80 busybox sleep 1000 >/dev/null
docker network connect azure two
docker start two >/dev/null
docker port two
docker exec two ip route | wc -l
docker rm -f web two >/dev/null
docker network rm blue azure inside
