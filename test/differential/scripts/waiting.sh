# Many at once: started, waited for, stopped, paused and removed by one command each.
set -u
for n in 1 2 3 4; do docker create --name "job$n" --network none -l "batch=b$((n % 2))" busybox sh -c "sleep 0.$n; echo job $n; exit $n" >/dev/null; done
docker start job1 job2 job3 job4
docker wait job1 job2 job3 job4
docker ps -a --filter label=batch=b1 --format '{{.Names}} {{.State}} {{.Label "batch"}}'
docker ps -a --filter exited=2 --format '{{.Names}}'
docker ps -aq --filter status=exited --filter name=job | wc -l
docker wait nope job1; echo "status $?"
docker start job1 nope job2; echo "status $?"
docker wait job1 job2
for n in 1 2; do docker logs --tail 1 "job$n"; done
docker rm job1 nope job2; echo "status $?"
docker rm $(docker ps -aq --filter label=batch)
docker run -d --name one --network none busybox sleep 1000 >/dev/null
docker run -d --name two --network none busybox sleep 1000 >/dev/null
docker pause one two; docker pause one; echo "status $?"
docker ps --filter status=paused --format '{{.Names}}' | sort
docker exec one true; echo "status $?"
docker stop -t 0 one
docker unpause two one; echo "status $?"
docker restart -t 0 one two
docker rename one three; docker rename two three; echo "status $?"
docker top three | wc -l
docker rm three two; echo "status $?"
docker rm -f three two nope; echo "status $?"
