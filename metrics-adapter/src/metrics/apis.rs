//! Who owns the metrics APIs, read at scrape time.

use std::fmt;

use kube_sci_report::encode::{flag, gauge};
use kube_sci_server::metrics::{MetricsRegistry, Spec};
use prometheus_client::{collector::Collector, encoding::DescriptorEncoder, metrics::MetricType};

use crate::ownership::{GroupVersion, Owner, Ownership};

const OWNER: Spec = Spec {
    name: "kube_sci_adapter_api_owner",
    unit: None,
    labels: &["api_service", "owner"],
    help: "1 for who owns an API that is wanted here: us, another adapter (other), nobody, not_known",
};

/// Registers the owners.
pub fn register(registry: &MetricsRegistry, ownership: &Ownership) {
    registry.register_collector(Box::new(Owners(ownership.clone())), [(OWNER, MetricType::Gauge)]);
}

#[derive(Debug)]
struct Owners(Ownership);

impl Collector for Owners {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let owners = self.0.owners();
        gauge(&mut encoder, &OWNER, |series| {
            let wanted = GroupVersion::ALL.into_iter().zip(owners.iter()).filter(|(api, _)| self.0.wants(*api));
            for (api, owner) in wanted {
                for word in WORDS {
                    series(&[("api_service", api.api_service()), ("owner", word)], flag(word == self::word(owner)))?;
                }
            }
            Ok(())
        })
    }
}

const WORDS: [&str; 4] = ["us", "other", "nobody", "not_known"];

const fn word(owner: &Owner) -> &'static str {
    match owner {
        Owner::Us => "us",
        Owner::Other(_) => "other",
        Owner::Nobody => "nobody",
        Owner::NotKnown | Owner::Unreadable(_) => "not_known",
    }
}
