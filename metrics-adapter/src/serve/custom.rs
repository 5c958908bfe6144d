//! `custom.metrics.k8s.io`: metrics on objects.

use std::sync::Arc;

use aggregated_apiserver::{ApiRequest, Attributes, Status, selector::LabelSelector};
use kube_sci_cluster::objects::Workload;

use super::{
    body::{CustomItem, DescribedObject, Value},
    resources::{ResourceKind, Resources},
    selectors::{self, shown},
    values::{Absent, Object, View},
};
use crate::catalogue::{Metric, Subject};

/// All objects.
const EVERY: &str = "*";

/// What a path of the group asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    metric: Metric,
    subject: Subject,
    kind: Arc<ResourceKind>,
    namespace: Box<str>,
    name: Box<str>,
    /// On the objects, where all are asked for.
    objects: LabelSelector,
    /// On the labels of the series.
    pub series: LabelSelector,
}

/// Names in a path, before it is known whether there is such a thing.
struct Named<'a> {
    resource: &'a str,
    name: &'a str,
    metric: &'a str,
}

impl Question {
    /// Reads a request.
    ///
    /// # Errors
    /// 404 for what is no path of the group, for kinds and metrics that are not served; 400 for a path that misses
    /// its object, and for a selector that cannot be understood.
    pub fn parse(request: &ApiRequest, resources: &Resources) -> Result<Self, Status> {
        let attributes = &request.attributes;
        let Named { resource, name, metric } = named(attributes)?;
        let kind = resources
            .resolve(resource)
            .ok_or_else(|| Status::not_found(format!("the server could not find the resource {}", shown(resource))))?;
        let subject = kind.subject().filter(|_| kind.namespaced != attributes.namespace.is_empty());
        // The path of a namespace's own metrics has it as the namespace.
        let subject = subject.or((attributes.resource == "metrics").then_some(Subject::Namespace));
        let subject = subject.ok_or_else(|| misplaced(&kind, &attributes.namespace))?;
        let metric = Metric::named(metric)
            .filter(|metric| metric.is_of(subject))
            .ok_or_else(|| unknown_metric(metric, &kind, name, subject))?;
        let (namespace, name) = match subject {
            Subject::Namespace => ("", name),
            _ => (attributes.namespace.as_str(), name),
        };
        Ok(Self {
            metric,
            subject,
            namespace: namespace.into(),
            name: name.into(),
            objects: if name == EVERY { selectors::parse(request, "labelSelector")? } else { LabelSelector::default() },
            series: selectors::parse(request, "metricLabelSelector")?,
            kind,
        })
    }

    /// Name of the metric.
    pub fn metric(&self) -> &'static str {
        self.metric.doc().name
    }

    /// The values: exactly one of a single object, any number of all.
    ///
    /// # Errors
    /// 404 with the cause where a single object has no value, 400 where objects of the kind cannot be selected.
    pub fn answer<'a>(&'a self, view: &View<'a>) -> Result<Vec<CustomItem<'a>>, Status> {
        if *self.name == *EVERY { self.all(view) } else { Ok(vec![self.one(view)?]) }
    }

    fn one<'a>(&'a self, view: &View<'a>) -> Result<CustomItem<'a>, Status> {
        let value = match self.subject {
            Subject::Policy => match view.policies.get(&self.namespace, &self.name) {
                Some(policy) => view.value(self.metric, Object::Policy(policy)),
                None if view.policies.synced => Err(Absent::NoObject),
                None => Err(Absent::NotSynced),
            },
            Subject::Node => view.value(self.metric, Object::Node(&self.name)),
            Subject::Namespace => view.value(self.metric, Object::Namespace(&self.name)),
            Subject::Pod => view
                .pod(&self.namespace, &self.name)
                .and_then(|pod| view.value(self.metric, Object::Pod(&self.namespace, pod))),
            Subject::Workload => match view.rates.known(&self.workload(&self.name)) {
                Some(workload) => view.value(self.metric, Object::Workload(workload)),
                None => Err(Absent::Cause("there is none that has running pods".to_owned())),
            },
        };
        let value = value.map_err(|absent| self.absent(&self.name, &absent))?;
        if !value.matches(&self.series) {
            let cause = Absent::Cause("metricLabelSelector does not pick its series".to_owned());
            return Err(self.absent(&self.name, &cause));
        }
        Ok(self.item(&self.name, value))
    }

    /// Objects that have no value are left out; an autoscaler counts them as it sees fit.
    fn all<'a>(&'a self, view: &View<'a>) -> Result<Vec<CustomItem<'a>>, Status> {
        let mut items = Vec::new();
        let mut add = |name: &'a str, value: Result<Value<'a>, Absent>| {
            if let Ok(value) = value
                && value.matches(&self.series)
            {
                items.push(self.item(name, value));
            }
        };
        match self.subject {
            Subject::Pod => {
                for pod in view.snapshot.directory().pods(&self.namespace) {
                    if self.objects.matches(|key| pod.labels.get(key)) {
                        add(&pod.name, view.value(self.metric, Object::Pod(&self.namespace, pod)));
                    }
                }
            }
            Subject::Node => {
                for (_, node) in view.snapshot.nodes() {
                    let labels = view.node_labels(&node.name);
                    if self.objects.matches(|key| labels.and_then(|labels| labels.get(key))) {
                        add(&node.name, view.value(self.metric, Object::Node(&node.name)));
                    }
                }
            }
            Subject::Policy => {
                self.no_selector()?;
                for policy in view.policies.in_namespace(&self.namespace) {
                    add(&policy.key.name, view.value(self.metric, Object::Policy(policy)));
                }
            }
            Subject::Workload => {
                self.no_selector()?;
                for workload in view.rates.workloads_in(&self.namespace) {
                    if *workload.kind == *self.kind.kind {
                        add(&workload.name, view.value(self.metric, Object::Workload(workload)));
                    }
                }
            }
            Subject::Namespace => {
                self.no_selector()?;
                for name in view.rates.namespaces() {
                    add(name, view.value(self.metric, Object::Namespace(name)));
                }
            }
        }
        items.sort_by(|a, b| a.object.name.cmp(b.object.name));
        Ok(items)
    }

    /// Labels of these objects are not watched: an answer that ignores the selector would be a wrong one.
    fn no_selector(&self) -> Result<(), Status> {
        if self.objects.requirements.is_empty() {
            return Ok(());
        }
        Err(Status::bad_request(format!("{} cannot be selected by label here: ask by name", self.kind.qualified())))
    }

    fn workload(&self, name: &str) -> Workload {
        Workload { namespace: (*self.namespace).into(), kind: (*self.kind.kind).into(), name: name.into() }
    }

    fn item<'a>(&'a self, name: &'a str, value: Value<'a>) -> CustomItem<'a> {
        let object = DescribedObject {
            kind: &self.kind.kind,
            namespace: &self.namespace,
            name,
            api_version: &self.kind.api_version,
        };
        CustomItem { object, value }
    }

    fn absent(&self, name: &str, absent: &Absent) -> Status {
        let metric = self.metric();
        let (resource, place) = (self.kind.qualified(), if self.namespace.is_empty() { "" } else { "/" });
        Status::not_found(format!("no {metric} of {resource} {}{place}{}: {absent}", self.namespace, shown(name)))
    }
}

fn named(attributes: &Attributes) -> Result<Named<'_>, Status> {
    let Attributes { namespace, resource, name, subresource, rest, .. } = attributes;
    let nothing =
        || Status::not_found("there is nothing at this path: metrics are at namespaces/NAMESPACE/RESOURCE/NAME/METRIC");
    if !rest.is_empty() {
        return Err(nothing());
    }
    if !namespace.is_empty() && name.is_empty() {
        return Err(Status::bad_request("invalid request path: it names no object"));
    }
    if resource == "metrics" && !namespace.is_empty() && subresource.is_empty() {
        return Ok(Named { resource: "namespaces", name: namespace, metric: name });
    }
    if name.is_empty() || subresource.is_empty() {
        return Err(nothing());
    }
    Ok(Named { resource, name, metric: subresource })
}

fn misplaced(kind: &ResourceKind, namespace: &str) -> Status {
    let resource = kind.qualified();
    Status::not_found(if namespace.is_empty() {
        format!("{resource} are in namespaces: ask at namespaces/NAMESPACE/{resource}/NAME/METRIC")
    } else {
        format!(
            "{resource} are in no namespace, so an autoscaler cannot ask for their metrics: ask at {resource}/NAME/METRIC"
        )
    })
}

fn unknown_metric(metric: &str, kind: &ResourceKind, name: &str, subject: Subject) -> Status {
    let known = Metric::ALL.into_iter().filter(|metric| metric.is_of(subject)).map(|metric| metric.doc().name);
    Status::not_found(format!(
        "the server could not find the metric {} for {} {}: there are {}",
        shown(metric),
        kind.qualified(),
        shown(name),
        known.collect::<Vec<_>>().join(", ")
    ))
}
