# A job of a build server: sources in by cp, steps by exec with their statuses, results out, always cleaned up.
set -u
trap 'docker rm -f job >/dev/null; docker rmi job:done >/dev/null 2>&1' EXIT
mkdir -p project/src; printf 'echo built "$VERSION" in "$PWD" as $(id -u)\n' >project/src/build.sh; printf 'exit 3\n' >project/src/test.sh
docker create --name job --network none -e VERSION=1.2 -w /work --tmpfs /tmp busybox sleep 1000 | wc -c
docker cp project job:/work/
docker start job
docker exec job sh project/src/build.sh
docker exec -u 1000 -w /work/project -e VERSION=2.0 job sh src/build.sh
docker exec job sh project/src/test.sh; echo "tests: $?"
docker exec job nosuchprogram >/dev/null 2>&1 || echo missing
docker exec job sh -c 'kill -9 $$'; echo "killed: $?"
printf 'one\ntwo\n' | docker exec -i job sort -r
docker exec job sh -c 'mkdir -p out && for n in 1 2 3; do echo "result $n" >out/$n.txt; done; echo out; echo err >&2' >stdout.txt 2>stderr.txt
cat stdout.txt stderr.txt
docker cp job:/work/out results && cat results/*.txt
docker cp job:/work/out/. - | tar -tf - | sort
docker exec -d job sh -c 'echo later >/work/later'
i=0; until docker exec job test -e /work/later || [ $i -gt 50 ]; do i=$((i+1)); sleep 0.1; done; docker exec job cat /work/later
docker diff job | grep -v '/tmp' | sort
docker commit -m 'job done' -c 'CMD ["cat","/work/out/2.txt"]' job job:done | cut -c1-7
docker run --rm --network none job:done
docker history --format '{{.Comment}}' job:done | head -1
docker kill job; docker wait job
docker inspect -f '{{.State.ExitCode}} {{.State.Running}} {{.State.OOMKilled}}' job
docker logs job 2>&1 | wc -l
