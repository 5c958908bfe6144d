//! The `ConfigMap` of Azure's exporter: a line with its heartbeat, the rest are its records.
#![no_main]

use jiff::Timestamp;
use k8s_openapi::{ByteString, api::core::v1::ConfigMap};
use kube_sci_signals::{
    config::SignalConfig,
    grid::providers::{AzureConfigMapConfig, ZoneRequest, azure_config_map},
};
use libfuzzer_sys::fuzz_target;
use sci_core::intensity::{Quality, Zone};

fuzz_target!(|content: &[u8]| {
    let end = content.iter().position(|byte| *byte == b'\n').unwrap_or(content.len());
    let (heartbeat, records) = content.split_at(end);
    let heartbeat = String::from_utf8_lossy(heartbeat).into_owned();
    let map = ConfigMap {
        data: Some([("lastHeartbeatTime".to_owned(), heartbeat)].into()),
        binary_data: Some([("data".to_owned(), ByteString(records.to_vec()))].into()),
        ..ConfigMap::default()
    };
    let config = AzureConfigMapConfig {
        namespace: "kube-system".to_owned(),
        name: "carbonintensity".to_owned(),
        signal: SignalConfig::default(),
    };
    let Ok(zone) = Zone::new("DE") else { return };
    let zone = ZoneRequest { id: Some("westeurope".into()), ..ZoneRequest::new(zone) };
    let _ = azure_config_map::heartbeat(&map);
    if let Ok(answer) = azure_config_map::read(&map, &config, &[zone], Timestamp::UNIX_EPOCH) {
        assert!(!answer.series.is_empty());
        for series in &answer.series {
            assert_eq!(series.quality(), Quality::Forecast);
            assert!(series.slots().iter().all(|slot| (0.0..=5_000.0).contains(&slot.value.get())));
        }
    }
});
