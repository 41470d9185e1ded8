"""OpenStack Swift of one machine in one process, with its S3 API: `python swift_server.py FOLDER`, until it is ended.

It prints the port on which it answers. Its user is `test:tester` with the secret `testing`.
"""
# ruff: noqa: E402, T201 - everything else is imported once the sockets are eventlet's; its parent reads what it prints

import sys
from pathlib import Path

from swift.common import utils

utils.monkey_patch()

import eventlet
from eventlet import wsgi
from swift.common.ring import RingBuilder
from swift.common.wsgi import loadapp

PARTS = ("account", "container", "object")
PART = """
[DEFAULT]
swift_dir = {folder}
devices = {folder}/devices
mount_check = false
log_address = {folder}/no-log
[pipeline:main]
pipeline = {name}-server
[app:{name}-server]
use = egg:swift#{name}
"""
PROXY = """
[DEFAULT]
swift_dir = {folder}
log_address = {folder}/no-log
[pipeline:main]
pipeline = catch_errors cache listing_formats bulk s3api tempauth slo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:9
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:bulk]
use = egg:swift#bulk
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
[filter:slo]
use = egg:swift#slo
"""


def main(folder: Path) -> None:
    (folder / "devices" / "disk").mkdir(parents=True)
    (folder / "swift.conf").write_text("[swift-hash]\nswift_hash_path_suffix = tests\n")
    utils.SWIFT_CONF_FILE = utils.base.SWIFT_CONF_FILE = str(folder / "swift.conf")
    sockets = {name: eventlet.listen(("127.0.0.1", 0)) for name in (*PARTS, "proxy")}
    for name in PARTS:
        make_ring(folder, name, sockets[name].getsockname()[1])
        (folder / f"{name}.conf").write_text(PART.format(folder=folder, name=name))
    (folder / "proxy.conf").write_text(PROXY.format(folder=folder))
    pool = eventlet.GreenPool()
    for name, socket in sockets.items():
        pool.spawn_n(wsgi.server, socket, loadapp(str(folder / f"{name}.conf")), log_output=False)
    print(sockets["proxy"].getsockname()[1], flush=True)
    pool.waitall()


def make_ring(folder: Path, name: str, port: int) -> None:
    """Everything is on one disk, once."""
    builder = RingBuilder(2, 1, 1)
    place = {"ip": "127.0.0.1", "port": port, "replication_ip": "127.0.0.1", "replication_port": port}
    builder.add_dev({"id": 0, "region": 1, "zone": 1, "device": "disk", "weight": 1.0, "meta": "", **place})
    builder.rebalance()
    builder.get_ring().save(str(folder / f"{name}.ring.gz"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
