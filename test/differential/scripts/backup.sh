# Back up a volume through a container, lose it, restore it, compare.
set -eu
docker volume create --label app=shop shop-data >/dev/null
docker run -d --name shop-db --network none -v shop-data:/var/db busybox sh -c '
  mkdir -p /var/db/tables && echo 42 >/var/db/tables/orders && ln -s tables/orders /var/db/latest
  adduser -D -u 70 db 2>/dev/null || true; chown -R 70:70 /var/db; touch /var/db/ready; exec sleep 1000' >/dev/null
until docker exec shop-db test -e /var/db/ready; do sleep 0.1; done
docker stop -t 0 shop-db
docker run --rm --network none --volumes-from shop-db -v "$PWD:/backup" busybox tar -czf /backup/shop.tgz -C /var/db .
tar -tzf shop.tgz | sort
docker rm shop-db
docker volume rm shop-data
docker volume ls -q --filter label=app=shop | wc -l
docker volume create --label app=shop shop-data
docker run --rm -i --network none -v shop-data:/restore busybox tar -xzf - -C /restore <shop.tgz
docker run --rm --network none -v shop-data:/var/db:ro busybox sh -c 'cat /var/db/latest; stat -c "%u:%g %n" /var/db/tables/orders; touch /var/db/x' || echo "status $?"
docker run --rm --network none -v shop-data:/a busybox sh -c 'tar -cf - -C /a .' | docker run --rm -i --network none -v shop-copy:/b busybox sh -c 'tar -xf - -C /b && ls /b'
docker volume inspect -f '{{.Name}} {{json .Labels}} {{.Driver}}' shop-data shop-copy
docker volume rm shop-data shop-copy
