//! Names of everything the adapter serves, in one place.

/// Metrics on a policy: the load times the factor. What an autoscaler reads.
pub const CARBON_ADJUSTED_LOAD: &str = "carbon_adjusted_load";
/// Metrics on a policy: the load as it is.
pub const LOAD: &str = "load";
/// Metrics on a policy: the factor that is applied.
pub const GREEN_FACTOR: &str = "green_factor";
/// Metrics on a policy: replicas that the plain load asks for.
pub const PLAIN_REPLICAS: &str = "plain_replicas";
/// Metrics on a policy: replicas that the adjusted load asks for.
pub const GREEN_REPLICAS: &str = "green_replicas";
/// Metrics on a policy: the least intensity that is forecast, in gCO2e/kWh.
pub const FORECAST_MIN_INTENSITY: &str = "forecast_min_intensity";
/// On policies, nodes, namespaces, pods and workloads: intensity of the electricity, in gCO2e/kWh.
pub const CARBON_INTENSITY: &str = "carbon_intensity";
/// On nodes, namespaces, pods and workloads: power, in watts.
pub const POWER_WATTS: &str = "power_watts";
/// On nodes, namespaces, pods and workloads: emissions, in gCO2e per hour.
pub const CARBON_GRAMS_PER_HOUR: &str = "carbon_grams_per_hour";
/// On policies, namespaces, pods and workloads: gCO2e per functional unit.
pub const SCI_GRAMS_PER_UNIT: &str = "sci_grams_per_unit";
/// External: intensity of a grid zone now, in gCO2e/kWh.
pub const GRID_CARBON_INTENSITY: &str = "grid_carbon_intensity";
/// External: the least intensity of a grid zone that is forecast, in gCO2e/kWh.
pub const GRID_CARBON_FORECAST_MIN: &str = "grid_carbon_forecast_min";
/// External: where the intensity of a grid zone stands between its least and its greatest, 0 to 1.
pub const GRID_CARBON_RELATIVE: &str = "grid_carbon_relative";

/// Every name.
pub const ALL: [&str; 13] = [
    CARBON_ADJUSTED_LOAD,
    LOAD,
    GREEN_FACTOR,
    PLAIN_REPLICAS,
    GREEN_REPLICAS,
    FORECAST_MIN_INTENSITY,
    CARBON_INTENSITY,
    POWER_WATTS,
    CARBON_GRAMS_PER_HOUR,
    SCI_GRAMS_PER_UNIT,
    GRID_CARBON_INTENSITY,
    GRID_CARBON_FORECAST_MIN,
    GRID_CARBON_RELATIVE,
];

/// Metrics that say how dirty electricity is: nothing to scale by, as more replicas make it no cleaner.
pub const INTENSITIES: [&str; 5] =
    [CARBON_INTENSITY, FORECAST_MIN_INTENSITY, GRID_CARBON_INTENSITY, GRID_CARBON_FORECAST_MIN, GRID_CARBON_RELATIVE];

/// Whether the adapter serves a metric of this name. `load` is too common a name to be called ours.
pub fn is_ours(name: &str) -> bool {
    name != LOAD && ALL.iter().any(|own| own.eq_ignore_ascii_case(name))
}
