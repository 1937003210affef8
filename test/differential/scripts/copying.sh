# Files in and out, as with cp: links, directories, names that are there and that are not, archives on stdin and stdout.
set -u
umask 022
mkdir -p tree/sub && echo one >tree/one && echo two >tree/sub/two && ln -s one tree/link && ln -s /etc/hostname tree/away && chmod 640 tree/one && touch -d @1000000000 tree/one tree/sub/two
docker run -d --name box --network none busybox sleep 1000 >/dev/null
docker cp tree box:/tmp; docker cp tree box:/tmp/new; docker cp tree/. box:/tmp/flat; echo "status $?"
docker exec box sh -c 'mkdir -p /tmp/flat'; docker cp tree/. box:/tmp/flat
docker exec box sh -c 'cd /tmp; find . | sort; cat new/link; stat -c "%a %u %Y %n" tree/one tree/sub/two; readlink tree/away'
docker cp -a tree/one box:/tmp/kept; docker exec box stat -c '%u:%g %a' /tmp/kept
docker cp tree/link box:/tmp/l1; docker cp -L tree/link box:/tmp/l2; docker exec box sh -c 'cd /tmp; readlink l1; readlink l2 || cat l2'
docker cp box:/tmp/tree/link out1; docker cp -L box:/tmp/tree/link out2; ls -l out1 | cut -c1; cat out2
docker cp box:/tmp/tree out3 && find out3 | sort
docker cp box:/tmp/tree/one tree/sub && cat tree/sub/one
docker cp box:/tmp/tree/one nosuch/dir/; echo "status $?"
docker cp box:/nosuch .; echo "status $?"
docker cp nosuch box:/; echo "status $?"
docker cp tree box:/etc/passwd; echo "status $?"
docker cp tree/one box:/nosuch/; echo "status $?"
docker cp tree/one box:/nosuch/x; echo "status $?"
docker cp tree/one nope:/; echo "status $?"
docker cp box:/tmp/tree/one - | tar -tf -
tar -cf - -C tree . | docker cp - box:/tmp/new; docker exec box ls /tmp/new
tar -cf - -C tree . | docker cp - box:/tmp/none; echo "status $?"
docker cp tree/one box:tmp/relative; docker exec box cat /tmp/relative
docker cp -q box:/etc/passwd pw; wc -l <pw
docker stop -t 0 box; docker cp box:/tmp/kept back; cat back; echo changed >back; docker cp back box:/tmp/kept; docker start box; docker exec box cat /tmp/kept
docker exec box mkfifo /tmp/fifo; docker cp box:/tmp/fifo . ; ls -l fifo | cut -c1
docker diff box | sort | head -n 5
docker rm -f box
