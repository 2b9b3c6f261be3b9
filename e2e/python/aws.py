"""A stand-in for AWS (moto), which checks signatures and permissions, and the SDK to run it with.

    aws.py

Prints one line of JSON: where it is, and the access keys of two users, `operator`, who may do everything, and `lockgate`,
who may do nothing yet. Then, for each line `{"service": …, "call": …, "with": {…}}`, does that as the operator by boto3, and
prints `{"done": …}`. The services `stop` and `start` take it away and put it back, with all that it knows.
"""

import io
import json
import logging
import sys

import boto3
from moto import settings
from moto.core.authorization import ActionAuthenticatorMixin
from moto.moto_server.threaded_moto_server import ThreadedMotoServer
from moto.moto_server.werkzeug_app import DomainDispatcherApplication

REGION = "eu-central-1"

logging.getLogger("werkzeug").disabled = True

infer = DomainDispatcherApplication.infer_service_region_host


def infer_from_query(self, environ, path):
    # AWS takes a form's parameters in the query as well.
    query = environ.get("QUERY_STRING", "").encode()
    if b"Action=AssumeRoleWithWebIdentity" in query:
        environ["wsgi.input"] = io.BytesIO(query)
        environ["CONTENT_LENGTH"] = str(len(query))
        environ["CONTENT_TYPE"] = "application/x-www-form-urlencoded"
        environ["QUERY_STRING"] = ""
    return infer(self, environ, path)


DomainDispatcherApplication.infer_service_region_host = infer_from_query

server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
host, port = server.get_host_and_port()
url = f"http://{host}:{port}"


def client(service, key, secret):
    return boto3.client(
        service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
    )


iam = client("iam", "first", "first")


def user(name):
    iam.create_user(UserName=name)
    made = iam.create_access_key(UserName=name)["AccessKey"]
    return {"access": made["AccessKeyId"], "secret": made["SecretAccessKey"]}


operator, lockgate = user("operator"), user("lockgate")
everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
everything = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
iam.put_user_policy(UserName="operator", PolicyName="everything", PolicyDocument=everything)

check = ActionAuthenticatorMixin._authenticate_and_authorize_action


def check_signed(self, *rest):
    # The one call here that AWS takes unsigned.
    if self._get_action() != "AssumeRoleWithWebIdentity":
        check(self, *rest)


ActionAuthenticatorMixin._authenticate_and_authorize_action = check_signed
# From now on everybody is checked.
settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
print(json.dumps({"url": url, "operator": operator, "lockgate": lockgate}), flush=True)

for line in sys.stdin:
    asked = json.loads(line)
    done = None
    if asked["service"] == "stop":
        server.stop()
    elif asked["service"] == "start":
        server = ThreadedMotoServer(host, port, verbose=False)
        server.start()
    else:
        service = client(asked["service"], operator["access"], operator["secret"])
        done = getattr(service, asked["call"])(**asked["with"])
    print(json.dumps({"done": done}, default=str), flush=True)
