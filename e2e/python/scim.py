"""A public SCIM client, and what tries out whether a service speaks SCIM.

    scim.py check|leave URL

The bearer token stands in TOKEN. `check` prints what scim2-tester found, as JSON. `leave` takes a person in,
puts them into a group, and deactivates them, by scim2-client; it prints the id.
"""

import json
import os
import sys

from httpx2 import Client
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_models import Group, PatchOp, PatchOperation, User
from scim2_tester import check_server

what, url = sys.argv[1:]
http = Client(base_url=url, headers={"Authorization": f"Bearer {os.environ['TOKEN']}"})
scim = SyncSCIMClient(http)

if what == "check":
    found = [
        {
            "status": result.status.name,
            "title": result.title,
            "of": result.resource_type,
            "reason": result.reason,
        }
        for result in check_server(scim)
    ]
    print(json.dumps(found))
else:
    scim.discover()
    model = scim.get_resource_model("User")
    groups = scim.get_resource_model("Group")
    user = scim.create(model(user_name="alice", active=True))
    members = [{"value": user.id}]
    group = scim.create(groups(display_name="staff", members=members))
    change = PatchOp[model](
        operations=[PatchOperation[model](op="replace", path="active", value=False)]
    )
    scim.modify(model, user.id, change)
    shown = scim.query(model, user.id)
    assert shown.active is False and shown.groups[0].value == group.id, shown
    print(user.id)
