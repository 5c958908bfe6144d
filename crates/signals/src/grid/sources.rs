//! From the configuration to sources.

use std::{path::PathBuf, str::FromStr, sync::Arc};

use kube::Client;
use rustc_hash::FxHashMap;
use sci_core::intensity::Zone;

use super::{
    Allowance, Fetcher, FetcherOptions, FileSource, HistoryFile, IntensitySource, LearnedHistory, ZoneDemand,
    config_map::ConfigMapSource,
    providers::{
        CarbonAwareSdk, Eia, ElectricityMaps, EntsoE, GridIntensityExporter, PrometheusQuery, Provider,
        UkCarbonIntensity, WattTime,
    },
};
use crate::{
    config::{ConfigError, GridConfig, GridSourceConfig, GridSourceKind, value},
    http::{HttpService, SecretFile},
};

/// Every configured source, strongest first: files in their order, then the others in theirs, last what was learned
/// before a restart. `zones` tells the sources what is wanted, `learned` what to keep.
///
/// # Errors
/// [`ConfigError`] where a source cannot be made: a `ConfigMap` without a `client`, an address that is none.
pub fn sources(
    config: &GridConfig,
    zones: &ZoneDemand,
    learned: &LearnedHistory,
    client: Option<&Client>,
) -> Result<Vec<Box<dyn IntensitySource>>, ConfigError> {
    let mut sources: Vec<Box<dyn IntensitySource>> = Vec::with_capacity(config.source_count() + 1);
    for file in &config.files {
        sources.push(Box::new(FileSource::new(file, config)));
    }
    let mut allowances = Allowances::default();
    for (index, source) in config.sources.iter().enumerate() {
        let field = format!("grid.sources[{index}]");
        sources.push(self::source(config, source, &field, zones, client, &mut allowances)?);
    }
    if let Some(path) = &config.history_file {
        sources.push(Box::new(HistoryFile::new(path, learned.clone())));
    }
    Ok(sources)
}

/// What tokens are good for, by the file that holds them.
type Allowances = FxHashMap<PathBuf, Allowance>;

fn source(
    config: &GridConfig,
    source: &GridSourceConfig,
    field: &str,
    zones: &ZoneDemand,
    client: Option<&Client>,
    allowances: &mut Allowances,
) -> Result<Box<dyn IntensitySource>, ConfigError> {
    let kind = source.kind().ok_or_else(|| value(field, "set exactly one kind of source"))?;
    let provider: Arc<dyn Provider> = match kind {
        GridSourceKind::ElectricityMaps(api) => Arc::new(ElectricityMaps::new(api)),
        GridSourceKind::WattTime(api) => Arc::new(WattTime::new(api)),
        GridSourceKind::UkCarbonIntensity(api) => Arc::new(UkCarbonIntensity::new(api)),
        GridSourceKind::EntsoE(api) => Arc::new(EntsoE::new(api)),
        GridSourceKind::Eia(api) => Arc::new(Eia::new(api)),
        GridSourceKind::CarbonAwareSdk(api) => Arc::new(CarbonAwareSdk::new(api)),
        GridSourceKind::GridIntensityExporter(exporter) => Arc::new(GridIntensityExporter::new(exporter)),
        GridSourceKind::Prometheus(query) => Arc::new(PrometheusQuery::new(query)),
        GridSourceKind::AzureConfigMap(map) => {
            let client = client.ok_or_else(|| value(field, "a ConfigMap needs access to the API server"))?;
            return Ok(Box::new(ConfigMapSource::new(client.clone(), map, source, zones.clone())));
        }
        GridSourceKind::File(file) => return Ok(Box::new(FileSource::new(file, config).named(&source.name))),
    };
    let http = source.service().ok_or_else(|| value(&format!("{field}.http"), "say where the API is reached"))?;
    let http = HttpService::new(&http).map_err(|error| value(&format!("{field}.http"), error.kind.to_string()))?;
    let token = source.token_file.as_ref().map(SecretFile::new);
    let secret = token.as_ref().or_else(|| http.secret_file()).map(|file| file.path().to_owned());
    let options = FetcherOptions {
        token,
        allowance: secret.map(|file| allowances.entry(file).or_default().clone()).unwrap_or_default(),
        only: source.only(),
        ids: source.ids(),
        further: config.zones.iter().filter_map(|name| Zone::from_str(name).ok()).collect(),
        calls_per_hour: source.calls_per_hour,
        period: source.period.get(),
        forecast: source.forecast && config.forecast.enabled,
        ..FetcherOptions::new(&source.name, kind.as_str())
    };
    Ok(Box::new(Fetcher::new(provider, http, zones.clone(), options)))
}
