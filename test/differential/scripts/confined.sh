# A program that may do little: no capabilities, no user root, nothing writable but a tmpfs, few processes, an init.
set -u
docker run --rm --network none --read-only --tmpfs /scratch:size=1m,mode=1777 --cap-drop ALL --user 1234:5678 --security-opt no-new-privileges \
  --pids-limit 20 --init -h quiet -e A=1 busybox sh -c '
    id; hostname; grep -E "^(CapEff|CapBnd|NoNewPrivs)" /proc/self/status
    touch /x; touch /scratch/x && echo written; df -k /scratch | tail -n 1
    ps -o pid,comm | sed -n 2p
    (for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22; do sleep 1 & done) 2>&1 | grep -c fork'
echo "status $?"
docker run --rm --network none --user nobody busybox id
docker run --rm --network none --user 0:nosuch busybox id; echo "status $?"
docker run --rm --network none --group-add 99 --user 1 busybox id
docker run --rm --network none --ulimit nofile=100:200 --ulimit core=0 busybox sh -c 'ulimit -n; ulimit -Hn; ulimit -c'
docker run --rm --network none --cap-drop ALL --cap-add NET_BIND_SERVICE --cap-add cap_chown busybox grep CapEff /proc/self/status
docker run --rm --network none --cap-drop NOPE busybox true 2>/dev/null; echo "status $?"
docker run --rm --network none --read-only busybox sh -c 'echo x >/etc/hosts; echo y >/dev/shm/y && cat /dev/shm/y; echo z >/x'; echo "status $?"
docker run --rm --network none --read-only -v "$PWD:/here:ro" -v work:/w busybox sh -c 'touch /here/x; touch /w/x && ls /w'; echo "status $?"
docker run --rm --network none --tmpfs /t:ro,noexec busybox sh -c 'touch /t/x; grep " /t " /proc/mounts | cut -d" " -f3'
docker run --rm --network none --shm-size 2m busybox sh -c 'df -k /dev/shm | tail -n 1'
docker run --rm --network none -m 32m busybox sh -c 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null'
docker run --rm --network none --cpus 0.5 --cpu-shares 512 busybox sh -c 'cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu/cpu.shares /sys/fs/cgroup/cpu.max 2>/dev/null'
docker run --rm --network none --sysctl net.ipv4.ip_unprivileged_port_start=0 busybox cat /proc/sys/net/ipv4/ip_unprivileged_port_start
docker run --rm --network none --init busybox sh -c 'ps -o pid,args | sed -n "2p" | grep -c -- "--"'
docker run --rm --network none --device /dev/null:/dev/mine:r busybox sh -c 'ls -l /dev/mine | cut -c1-10; cat /dev/mine; echo x >/dev/mine'; echo "status $?"
docker run --rm --network none --stop-timeout 1 --oom-score-adj 500 busybox cat /proc/self/oom_score_adj
docker volume rm work
