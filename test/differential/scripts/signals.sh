# Keys and signals that reach a client reach the program, and the caller learns of its end.
set -u
docker run --name polite --network none busybox sh -c 'trap "echo interrupted; exit 7" INT; trap "echo asked; exit 8" TERM; echo up; while :; do sleep 0.1; done' >out &
pid=$!
until grep -q up out; do sleep 0.1; done
kill -INT $pid; wait $pid; echo "status $?"; cat out
docker logs polite | sort | uniq -c
docker start polite
docker attach --sig-proxy=false polite >out & pid=$!
sleep 1
kill -KILL $pid; wait $pid 2>/dev/null; echo "status $?"
docker inspect -f '{{.State.Running}}' polite
docker kill -s USR1 polite; docker inspect -f '{{.State.ExitCode}}' polite
docker start polite
docker kill -s 2 polite; docker wait polite
docker run -d --name deaf --network none busybox sh -c 'trap "" TERM INT; echo up; while :; do sleep 0.1; done' >/dev/null
until docker logs deaf | grep -q up; do sleep 0.1; done
docker stop -t 1 deaf; docker inspect -f '{{.State.ExitCode}}' deaf
docker run --rm --network none busybox sh -c 'kill -TERM $$; echo still here'; echo "status $?"
docker run --rm --init --network none busybox sh -c 'kill -TERM $$; echo not here'; echo "status $?"
docker run --rm --network none busybox sh -c 'sh -c "kill -SEGV \$\$"; echo $?'; echo "status $?"
docker kill deaf; echo "status $?"
docker stop deaf nope; echo "status $?"
docker rm polite deaf
