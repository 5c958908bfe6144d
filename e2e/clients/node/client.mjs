// Asks for metrics in the way that Node programs do, and prints one line of JSON. See ../README.md.

import { ApiException, ApisApi, CustomObjectsApi, KubeConfig } from '@kubernetes/client-node';
import fetch from 'node-fetch';

const CUSTOM = 'custom.metrics.k8s.io';
const EXTERNAL = { group: 'external.metrics.k8s.io', version: 'v1beta1' };

const config = new KubeConfig();
config.loadFromFile(process.env.KUBECONFIG);

// The library has no method for paths below an object other than status and scale. Its own client of metrics.k8s.io asks
// in this way too.
async function get(path) {
  const options = await config.applyToFetchOptions({});
  options.method = 'GET';
  const response = await fetch(config.getCurrentCluster().server + path, options);
  const text = await response.text();
  if (!response.ok) {
    throw new ApiException(response.status, response.statusText, text, {});
  }
  return JSON.parse(text);
}

async function preferred(group) {
  const { groups } = await config.makeApiClient(ApisApi).getAPIVersions();
  const found = groups.find(({ name }) => name === group);
  if (!found) {
    throw new Error(`no group ${group}`);
  }
  return found.preferredVersion.groupVersion;
}

async function custom(namespace, path, query) {
  const scope = namespace ? `/namespaces/${namespace}` : '';
  const given = Object.entries(query).filter(([, value]) => value);
  const parameters = given.length ? `?${new URLSearchParams(given)}` : '';
  const { items } = await get(`/apis/${await preferred(CUSTOM)}${scope}/${path}${parameters}`);
  const samples = items.map((item) => ({
    metric: item.metricName ?? item.metric.name,
    object: `${item.describedObject.kind}/${item.describedObject.name}`,
    value: item.value,
    timestamp: item.timestamp,
  }));
  return { samples };
}

async function external(namespace, metric, labelSelector) {
  const request = { ...EXTERNAL, namespace, plural: metric, labelSelector };
  const { items } = await config.makeApiClient(CustomObjectsApi).listNamespacedCustomObject(request);
  const samples = items.map(({ metricName, metricLabels, value, timestamp }) => ({
    metric: metricName,
    labels: metricLabels ?? {},
    value,
    timestamp,
  }));
  return { samples };
}

async function resources(groupVersion) {
  const [group, version] = groupVersion.split('/');
  const answer = await config.makeApiClient(CustomObjectsApi).getAPIResources({ group, version });
  return { resources: answer.resources.map(({ name }) => name).sort() };
}

function ask(question, given) {
  switch (question) {
    case 'object': {
      const [namespace, resource, name, metric, metricLabelSelector] = given;
      return custom(namespace, `${resource}/${name}/${metric}`, { metricLabelSelector });
    }
    case 'objects': {
      const [namespace, resource, metric, labelSelector, metricLabelSelector] = given;
      return custom(namespace, `${resource}/*/${metric}`, { labelSelector, metricLabelSelector });
    }
    case 'external': {
      const [namespace, metric, labelSelector] = given;
      return external(namespace, metric, labelSelector || undefined);
    }
    case 'resources':
      return resources(given[0]);
    default:
      throw new Error(`no such question: ${question}`);
  }
}

function refused(error) {
  if (!(error instanceof ApiException)) {
    return { status: 0, reason: error.name, message: error.message };
  }
  let said = error.body;
  try {
    said = typeof said === 'string' ? JSON.parse(said) : said;
  } catch {
    said = { message: said };
  }
  return { status: error.code, reason: said.reason ?? '', message: said.message ?? '' };
}

const [question, ...given] = process.argv.slice(2);
let answer;
try {
  answer = await ask(question, given);
} catch (error) {
  answer = { refused: refused(error) };
}
process.stdout.write(`${JSON.stringify(answer)}\n`);
