"""A session with docker-py as its users have it. Ends with 0 and 'all done', or with the assertion that failed."""
import http.client
import io
import tarfile
import threading

import docker
import docker.errors


class WholeResponse(http.client.HTTPResponse):
    """docker-py goes on with the bare socket of an upgraded connection, and forgets what http.client has read ahead of it:
    output that comes together with the headers would be lost, with dockerd as with ctrd. So nothing is read ahead."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fp = io.BufferedReader(self.fp.detach(), 1)


http.client.HTTPResponse = http.client.HTTPConnection.response_class = WholeResponse
client = docker.from_env(timeout=30)
assert client.ping()
assert client.version()["ApiVersion"]
assert client.info()["OSType"] == "linux"

# one command, its output and its failure
assert client.containers.run("busybox", ["echo", "hello"], remove=True) == b"hello\n"
try:
    client.containers.run("busybox", "sh -c 'echo bad >&2; exit 3'", remove=True)
    raise AssertionError("no ContainerError")
except docker.errors.ContainerError as error:
    assert error.exit_status == 3 and b"bad" in error.stderr, error
try:
    client.containers.get("nope")
    raise AssertionError("no NotFound")
except docker.errors.NotFound:
    pass
try:
    client.images.get("nope:1")
    raise AssertionError("no ImageNotFound")
except docker.errors.ImageNotFound:
    pass

# a network, a volume, a container on both
network = client.networks.create("pynet", driver="bridge", labels={"by": "py"})
volume = client.volumes.create("pyvol")
seen = []
events = client.events(decode=True, filters={"type": "container"})
reader = threading.Thread(target=lambda: [seen.append(event["Action"]) for event in events])
reader.daemon = True
reader.start()
server = client.containers.run(
    "busybox",
    ["sh", "-c", "trap 'echo ended; exit 5' TERM; echo ready; while :; do sleep 0.1; done"],
    name="server",
    detach=True,
    network="pynet",
    volumes={"pyvol": {"bind": "/data", "mode": "rw"}},
    environment={"A": "1"},
    labels={"role": "server"},
    mem_limit="64m",
    healthcheck={"test": ["CMD", "true"], "interval": 500_000_000},
    restart_policy={"Name": "on-failure", "MaximumRetryCount": 0},
)
assert next(server.logs(stream=True, follow=True)) == b"ready\n"
server.reload()
assert server.status == "running" and server.name == "server"
assert server.attrs["HostConfig"]["Memory"] == 64 << 20
assert server.attrs["NetworkSettings"]["Networks"]["pynet"]["IPAddress"]
assert [c.name for c in client.containers.list(filters={"label": "role=server"})] == ["server"]
assert client.containers.run("busybox", "ping -c 1 -W 3 server", network="pynet", remove=True)

# exec: output, both streams apart, the exit code, a socket
code, output = server.exec_run(["sh", "-c", "echo $A; exit 4"])
assert (code, output) == (4, b"1\n"), (code, output)
code, (out, err) = server.exec_run(["sh", "-c", "echo o; echo e >&2"], demux=True)
assert (code, out, err) == (0, b"o\n", b"e\n")
assert b"".join(server.exec_run("cat /etc/hostname", stream=True).output).strip().decode() == server.id[:12]

# files in and out
data = io.BytesIO()
with tarfile.open(fileobj=data, mode="w") as tar:
    entry = tarfile.TarInfo("note")
    entry.size = 5
    tar.addfile(entry, io.BytesIO(b"hello"))
assert server.put_archive("/data", data.getvalue())
chunks, stat = server.get_archive("/data/note")
assert stat["name"] == "note" and stat["size"] == 5
with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
    assert tar.extractfile("note").read() == b"hello"
assert {"Path": "/data/note", "Kind": 1} not in server.diff()

# numbers, processes, change
assert server.stats(stream=False)["memory_stats"]["limit"] == 64 << 20
assert "sh -c" in " ".join(server.top()["Processes"][0])
server.update(mem_limit="96m", memswap_limit="192m")
server.pause()
server.reload()
assert server.status == "paused"
server.unpause()
server.rename("renamed")

# an image out of it
image = server.commit("pyimage", "1", message="made", changes="ENV MADE=yes")
assert "pyimage:1" in image.tags and "MADE=yes" in image.attrs["Config"]["Env"]
archive = b"".join(image.save(named=True))
client.images.remove("pyimage:1")
assert client.images.load(archive)[0].tags == ["pyimage:1"]
assert client.containers.run("pyimage:1", "sh -c 'echo $MADE'", remove=True) == b"yes\n"
client.images.remove("pyimage:1")

# an image of a Dockerfile, and one that cannot be
dockerfile = b'FROM busybox\nARG WHO\nRUN echo hello $WHO > /said\nCMD ["cat", "/said"]\n'
built, log = client.images.build(
    fileobj=io.BytesIO(dockerfile), tag="pybuilt:1", rm=True, buildargs={"WHO": "py"}
)
assert built.tags == ["pybuilt:1"] and any("Step 2/4" in line.get("stream", "") for line in log)
assert client.containers.run("pybuilt:1", remove=True) == b"hello py\n"
client.images.remove("pybuilt:1")
try:
    client.images.build(fileobj=io.BytesIO(b"FROM busybox\nRUN exit 4\n"), rm=True, forcerm=True)
    raise AssertionError("no BuildError")
except docker.errors.BuildError as error:
    assert "returned a non-zero code: 4" in str(error), error

# the end
server.stop(timeout=20)
assert server.wait()["StatusCode"] == 5
assert server.logs() == b"ready\nended\n", server.logs()
assert server.logs(tail=1) == b"ended\n"
server.start()
server.kill()
server.remove(v=True, force=True)
network.remove()
volume.remove()
assert client.containers.prune()["SpaceReclaimed"] == 0
assert client.api.df()["Images"]
events.close()
reader.join(20)
for action in ("create", "start", "die", "destroy"):
    assert action in seen, (action, seen)
print("all done")
