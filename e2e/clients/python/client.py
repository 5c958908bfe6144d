"""Asks for metrics in the way that Python programs do, and prints one line of JSON. See ../README.md."""

import json
import os
import sys
import tempfile

from kubernetes import config
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import DynamicApiError, ResourceNotFoundError

CUSTOM = "custom.metrics.k8s.io"
EXTERNAL = "external.metrics.k8s.io/v1beta1"


def connect():
    # What one server can do must not be remembered for the next one on the same port.
    cache = os.path.join(tempfile.mkdtemp(prefix="kube-sci-python-client-"), "discovery.json")
    return DynamicClient(config.new_client_from_config(os.environ["KUBECONFIG"]), cache_file=cache)


def preferred(client, group):
    groups = client.request("get", "/apis").to_dict()["groups"]
    found = [entry for entry in groups if entry["name"] == group]
    if not found:
        raise LookupError(f"no group {group}")
    return found[0]["preferredVersion"]["groupVersion"]


def custom(client, namespace, path, query):
    scope = f"/namespaces/{namespace}" if namespace else ""
    version = preferred(client, CUSTOM)
    parameters = [(key, value) for key, value in query.items() if value]
    answer = client.request("get", f"/apis/{version}{scope}/{path}", query_params=parameters)
    return {"samples": [custom_sample(item) for item in answer.to_dict()["items"]]}


def custom_sample(item):
    described = item["describedObject"]
    # v1beta1 has a flat name, v1beta2 an identifier.
    name = item["metricName"] if "metricName" in item else item["metric"]["name"]
    return {
        "metric": name,
        "object": f"{described['kind']}/{described['name']}",
        "value": item["value"],
        "timestamp": item["timestamp"],
    }


def external(client, namespace, metric, selector):
    resource = client.resources.get(api_version=EXTERNAL, name=metric)
    options = {"label_selector": selector} if selector else {}
    items = resource.get(namespace=namespace, **options).to_dict()["items"]
    samples = [
        {
            "metric": item["metricName"],
            "labels": item.get("metricLabels") or {},
            "value": item["value"],
            "timestamp": item["timestamp"],
        }
        for item in items
    ]
    return {"samples": samples}


def resources(client, group_version):
    answer = client.request("get", f"/apis/{group_version}").to_dict()
    return {"resources": sorted(resource["name"] for resource in answer["resources"])}


def ask(question, arguments):
    client = connect()
    given = arguments + [""] * (5 - len(arguments))
    if question == "object":
        namespace, resource, name, metric, selector = given[:5]
        return custom(client, namespace, f"{resource}/{name}/{metric}", {"metricLabelSelector": selector})
    if question == "objects":
        namespace, resource, metric, selector, of_metric = given[:5]
        query = {"labelSelector": selector, "metricLabelSelector": of_metric}
        return custom(client, namespace, f"{resource}/*/{metric}", query)
    if question == "external":
        return external(client, *given[:3])
    if question == "resources":
        return resources(client, given[0])
    raise LookupError(f"no such question: {question!r}")


def refused(error):
    if isinstance(error, DynamicApiError):
        try:
            said = json.loads(error.body)
        except (TypeError, ValueError):
            said = {}
        return {
            "status": error.status,
            "reason": said.get("reason", error.reason),
            "message": said.get("message", str(error.body)),
        }
    return {"status": 0, "reason": type(error).__name__, "message": str(error)}


def main():
    try:
        answer = ask(sys.argv[1], sys.argv[2:])
    except (DynamicApiError, ResourceNotFoundError, LookupError) as error:
        answer = {"refused": refused(error)}
    json.dump(answer, sys.stdout)
    sys.stdout.write("\n")


main()
