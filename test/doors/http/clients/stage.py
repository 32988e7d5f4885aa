"""Stages an app with the cloudfoundry-client of PyPI: create, upload, stage, follow, download.

usage: stage.py API USER PASSWORD SPACE APP ZIP DROPLET
"""

import json
import sys
import time

from cloudfoundry_client.client import CloudFoundryClient
from cloudfoundry_client.v3.packages import PackageType


def follow(cf: CloudFoundryClient, api: str, build: str) -> list[str]:
    """The lines of a build's log, to its end."""
    with cf.get(f"{api}/v3/builds/{build}/logs", stream=True) as events:
        data = (line[6:] for line in events.iter_lines(decode_unicode=True) if line.startswith("data: "))
        return [line["text"] for line in map(json.loads, data) if "text" in line]


def main(api: str, user: str, password: str, space_name: str, app_name: str, bits: str, target: str) -> None:
    cf = CloudFoundryClient(api)
    cf.init_with_user_credentials(user, password)
    space = cf.v3.spaces.get_first(names=space_name)
    # The client has no public way to make an app.
    app = cf.v3.apps._create({"name": app_name, "relationships": {"space": {"data": {"guid": space["guid"]}}}})
    package = cf.v3.packages.create(app["guid"], PackageType.BITS)
    cf.v3.packages._upload_bits(package["guid"], bits)
    while cf.v3.packages.get(package["guid"])["state"] == "PROCESSING_UPLOAD":
        time.sleep(0.2)
    build = cf.post(f"{api}/v3/builds", json={"package": {"guid": package["guid"]}}).json()
    lines = follow(cf, api, build["guid"])
    while (build := cf.get(f"{api}/v3/builds/{build['guid']}").json())["state"] == "STAGING":
        time.sleep(0.2)
    droplet = cf.v3.droplets.get(build["droplet"]["guid"])
    cf.v3.apps.get(app["guid"]).space()
    with cf.get(f"{api}/v3/droplets/{droplet['guid']}/download", stream=True) as answer, open(target, "wb") as file:
        for piece in answer.iter_content(1 << 16):
            file.write(piece)
    listed = [found["guid"] for found in cf.v3.packages.list_droplets(package["guid"])]
    cf.v3.apps.remove(app["guid"])
    print(json.dumps({"state": build["state"], "last": lines[-1], "listed": droplet["guid"] in listed}))


main(*sys.argv[1:])
