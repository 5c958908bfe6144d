//! The two metrics APIs and explanations, from memory only.
//!
//! | module | holds |
//! | --- | --- |
//! | [`custom`], [`external`] | questions of the two groups: from a path to values |
//! | [`values`], [`rates`] | values of metrics on objects |
//! | [`resources`] | names of kinds |
//! | [`body`], [`quantity`] | answers as clients read them |

pub mod body;
pub mod custom;
pub mod external;
pub mod quantity;
pub mod rates;
pub mod resources;
pub mod selectors;
pub mod values;

use std::{fmt, sync::Arc};

use aggregated_apiserver::{Api, ApiGroup, ApiRequest, ApiResponse, Definition, ServerMetrics, StandsFor, Status};
use arc_swap::ArcSwap;
use futures::future::{BoxFuture, ready};
use http::Method;
use jiff::Timestamp;
use kube_sci_cluster::{assess::Model, wanted::WantedZones};

use self::{
    body::{CustomVersion, Value, custom_list, external_list, selector_object},
    rates::RatesCache,
    resources::Resources,
    values::{Limits, View},
};
use crate::{
    catalogue::{self, CUSTOM, EXTERNAL, EXTERNAL_VERSION, Groups},
    explain,
    table::PolicyTableHandle,
};

/// What answers are made of, and where they are counted.
#[derive(Clone)]
pub struct Parts {
    /// The cluster.
    pub model: Model,
    /// The policies.
    pub policies: PolicyTableHandle,
    /// Names of kinds.
    pub resources: Resources,
    /// Zones that are asked about.
    pub wanted: WantedZones,
    /// Which group-versions are served now.
    pub groups: Arc<ArcSwap<Groups>>,
    /// How old values may be.
    pub limits: Limits,
    /// Where ages of values go.
    pub metrics: ServerMetrics,
    /// The present.
    pub clock: fn() -> Timestamp,
}

/// The program behind the aggregated API server.
#[derive(Debug)]
pub struct AdapterApi {
    parts: Parts,
    rates: RatesCache,
}

impl AdapterApi {
    /// From its parts.
    pub fn new(parts: Parts) -> Self {
        Self { parts, rates: RatesCache::default() }
    }

    /// Answers one request.
    ///
    /// # Errors
    /// What the caller is told instead.
    pub fn answer(&self, request: &ApiRequest) -> Result<ApiResponse, Status> {
        if request.method != Method::GET {
            return Err(Status::method_not_allowed("metrics can only be read"));
        }
        let attributes = &request.attributes;
        if attributes.stands_for {
            return self.view(|view| explain::answer(attributes, view));
        }
        match (attributes.resource_request, attributes.group.as_str(), attributes.version.as_str()) {
            (true, CUSTOM, version) => match CustomVersion::parse(version) {
                Some(version) if self.served().serves(version) => self.custom(request, version),
                _ => Err(not_served()),
            },
            (true, EXTERNAL, EXTERNAL_VERSION) if self.served().external => self.external(request),
            (true, ..) => Err(not_served()),
            (false, ..) => self.view(|view| explain::answer(attributes, view)),
        }
    }

    fn custom(&self, request: &ApiRequest, version: CustomVersion) -> Result<ApiResponse, Status> {
        let question = custom::Question::parse(request, &self.parts.resources)?;
        let selector = (!question.series.requirements.is_empty()).then(|| selector_object(&question.series));
        self.view(|view| {
            let items = question.answer(view)?;
            self.observe(CUSTOM, items.iter().map(|item| &item.value), view.now);
            ApiResponse::json(&custom_list(version, question.metric(), selector.as_ref(), &items))
        })
    }

    fn external(&self, request: &ApiRequest) -> Result<ApiResponse, Status> {
        let question = external::Question::parse(request)?;
        self.view(|view| {
            let values = question.answer(view, &self.parts.wanted)?;
            self.observe(EXTERNAL, &values, view.now);
            ApiResponse::json(&external_list(question.name(), &values))
        })
    }

    /// Everything of one moment.
    pub fn view<T>(&self, answer: impl FnOnce(&View<'_>) -> T) -> T {
        let now = (self.parts.clock)();
        let limits = self.parts.limits;
        let snapshot = self.parts.model.snapshot.load_full();
        let rates = self.rates.of(&snapshot, limits.energy, now);
        let policies = self.parts.policies.load();
        let learned = self.parts.model.learned.hours();
        answer(&View { snapshot: &snapshot, rates: &rates.1, policies: &policies, learned: &learned, now, limits })
    }

    fn observe<'v>(&self, group: &'static str, values: impl IntoIterator<Item = &'v Value<'v>>, now: Timestamp) {
        for age in values.into_iter().filter_map(|value| external::age(value, now)) {
            self.parts.metrics.observe_freshness(group, age);
        }
    }

    fn served(&self) -> Groups {
        **self.parts.groups.load()
    }
}

impl Api for AdapterApi {
    fn groups(&self) -> Vec<ApiGroup> {
        catalogue::groups(self.served())
    }

    fn definitions(&self) -> Vec<Definition> {
        catalogue::definitions()
    }

    fn stands_for(&self, segments: &[&str]) -> Option<StandsFor> {
        explain::stands_for(segments)
    }

    fn handle<'a>(&'a self, request: &'a ApiRequest) -> BoxFuture<'a, Result<ApiResponse, Status>> {
        Box::pin(ready(self.answer(request)))
    }
}

fn not_served() -> Status {
    Status::not_found("the server could not find the requested resource")
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("groups", &self.groups).field("limits", &self.limits).finish_non_exhaustive()
    }
}
