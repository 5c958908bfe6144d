//! Sources as configured.

use super::{EnergySource, NodeDirectory, otlp::OtlpSource, prometheus::PrometheusSource, scrape::ScrapeSource};
use crate::config::{ConfigError, EnergyConfig, EnergySourceConfig};

/// All configured sources, in their order. Nothing is asked before their first poll.
///
/// # Errors
/// [`ConfigError`] with the path of the field.
pub fn sources(
    config: &EnergyConfig,
    client: &kube::Client,
    directory: &NodeDirectory,
) -> Result<Vec<Box<dyn EnergySource>>, ConfigError> {
    config.validate()?;
    let mut sources: Vec<Box<dyn EnergySource>> = Vec::with_capacity(config.sources.len());
    for source in &config.sources {
        let EnergySourceConfig { scrape, prometheus, otlp, .. } = source;
        // Exactly one of them is set.
        if let Some(scrape) = scrape {
            sources.push(Box::new(ScrapeSource::new(config, source, scrape, client, directory)));
        }
        if let Some(prometheus) = prometheus {
            sources.push(Box::new(PrometheusSource::new(config, source, prometheus, directory)?));
        }
        if let Some(otlp) = otlp {
            sources.push(Box::new(OtlpSource::new(config, source, otlp, directory)));
        }
    }
    Ok(sources)
}
