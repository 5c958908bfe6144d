use std::collections::BTreeSet;

use super::{
    cities::{CITIES, distance_km, is_near},
    *,
};

const EU: [&str; 27] = [
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU", "LV",
    "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
];
const EEA_OUTSIDE_EU: [&str; 3] = ["IS", "LI", "NO"];

fn zone(name: &str) -> Zone {
    Zone::new(name).unwrap()
}

fn region(provider: Provider, name: &str) -> &'static Region {
    catalogue().region(provider, name).unwrap_or_else(|| panic!("{provider} {name} is missing"))
}

#[test]
fn all_153_regions_are_read() {
    let count = |provider| catalogue().regions().iter().filter(|region| region.provider == provider).count();
    assert_eq!(Provider::ALL.map(count), [39, 70, 44]);
    let names: BTreeSet<_> = catalogue().regions().iter().map(|region| (region.provider, region.name)).collect();
    assert_eq!(names.len(), 153);
    for (provider, name) in names {
        assert_eq!(region(provider, name).name, name);
    }
    assert!(catalogue().region(Provider::Aws, "westeurope").is_none());
}

#[test]
fn every_region_is_near_the_city_it_names() {
    for region in catalogue().regions() {
        let place = (region.latitude, region.longitude);
        assert_eq!(is_near(region.city, region.iso_country, place), Some(true), "{} {}", region.provider, region.name);
    }
}

#[test]
fn every_city_of_the_check_is_used() {
    let used: BTreeSet<_> = catalogue().regions().iter().map(|region| (region.city, region.iso_country)).collect();
    let known: BTreeSet<_> = CITIES.iter().map(|(city, iso, ..)| (*city, *iso)).collect();
    assert_eq!(used, known);
    assert_eq!(known.len(), CITIES.len(), "a city stands twice");
}

#[test]
fn known_wrong_coordinates_of_public_tables_would_be_caught() {
    // Real Time Cloud: us-south1 in Oregon, us-west4 in New Mexico, sa-east-1 at 3.45 S, westus with the row of
    // West US 2. Carbon Aware SDK: spaincentral east of Greenwich, israelcentral in Sinai, westcentralus in Utah,
    // francecentral in the middle of France.
    let wrong = [
        (Provider::Gcp, "us-south1", (45.59, -121.18)),
        (Provider::Gcp, "us-west4", (35.08, -106.65)),
        (Provider::Aws, "sa-east-1", (-3.45, -46.63)),
        (Provider::Azure, "westus", (47.23, -119.85)),
        (Provider::Azure, "spaincentral", (40.43, 3.42)),
        (Provider::Azure, "israelcentral", (31.0, 33.5)),
        (Provider::Azure, "westcentralus", (40.89, -110.23)),
        (Provider::Azure, "francecentral", (46.38, 2.37)),
    ];
    for (provider, name, place) in wrong {
        let region = region(provider, name);
        assert_eq!(is_near(region.city, region.iso_country, place), Some(false), "{name}");
    }
}

#[test]
fn distances_are_those_of_the_globe() {
    // Paris to London, about 344 km.
    assert!((distance_km((48.8566, 2.3522), (51.5074, -0.1278)) - 344.0).abs() < 2.0);
    // A quarter of a meridian: pi / 2 * 6,371 km.
    assert!((distance_km((0.0, 0.0), (90.0, 0.0)) - 10_007.5).abs() < 0.1);
}

#[test]
fn zones_are_those_where_the_region_stands() {
    let anchors = [
        (Provider::Aws, "eu-north-1", "SE-SE3"),
        (Provider::Aws, "sa-east-1", "BR-CS"),
        (Provider::Aws, "us-west-2", "US-NW-BPAT"),
        (Provider::Azure, "northcentralus", "US-MIDA-PJM"),
        (Provider::Azure, "westus", "US-CAL-CISO"),
        (Provider::Azure, "norwayeast", "NO-NO1"),
        (Provider::Gcp, "me-central1", "QA"),
        (Provider::Gcp, "us-south1", "US-TEX-ERCO"),
        (Provider::Gcp, "europe-north1", "FI"),
    ];
    for (provider, name, expected) in anchors {
        assert_eq!(region(provider, name).zone, zone(expected), "{name}");
    }
    assert_eq!(region(Provider::Gcp, "us-south1").city, "Dallas (Texas)");
    assert_eq!(region(Provider::Aws, "us-west-2").zone_alternatives, [zone("US-NW-PACW")]);
    let zones: BTreeSet<_> = catalogue().regions().iter().map(|region| &region.zone).collect();
    assert_eq!(zones.len(), 59);
}

#[test]
fn a_zone_begins_with_the_country_of_its_region() {
    for region in catalogue().regions() {
        for zone in std::iter::once(&region.zone).chain(&region.zone_alternatives) {
            let country = zone.as_str().split('-').next().unwrap();
            assert_eq!(country, region.iso_country, "{} {}", region.provider, region.name);
            assert_eq!(catalogue().canonical(zone), *zone, "{zone} is an old name");
        }
    }
}

#[test]
fn residency_follows_the_country() {
    let regions = catalogue().regions();
    for region in regions {
        let eu = EU.contains(&region.iso_country);
        assert_eq!(region.eu_member, eu, "{}", region.name);
        assert_eq!(region.eea_member, eu || EEA_OUTSIDE_EU.contains(&region.iso_country), "{}", region.name);
        assert!(!((region.in_gb() || region.in_ch()) && region.eea_member), "{}", region.name);
    }
    assert_eq!(regions.iter().filter(|region| region.eu_member).count(), 32);
    assert_eq!(regions.iter().filter(|region| region.eea_member).count(), 34);
    assert!(region(Provider::Azure, "norwaywest").eea_member);
    assert!(region(Provider::Aws, "eu-west-2").in_gb());
    assert!(region(Provider::Aws, "eu-central-2").in_ch());
}

#[test]
fn every_region_has_an_annual_intensity_of_its_zone_or_country() {
    for region in catalogue().regions() {
        let annual = catalogue().annual(&region.zone).unwrap_or_else(|| panic!("{} has none", region.zone));
        assert!((2022..=2024).contains(&annual.year), "{}", region.zone);
        assert!((10.0..900.0).contains(&annual.value.get()), "{} {}", region.zone, annual.value);
        let itself = annual.zone == region.zone;
        assert!(itself || Some(annual.zone) == catalogue().parent(&region.zone), "{}", region.zone);
    }
}

#[test]
fn a_zone_answers_itself_then_by_todays_name_then_by_its_country() {
    for (asked, answers) in [
        ("DE", "DE"),
        ("DE-LU", "DE"),
        ("BR-SP", "BR-CS"),
        ("CL-SIC", "CL"),
        ("UK", "GB"),
        ("SE-SE3", "SE"),
        ("NO-NO1", "NO"),
        ("US-SW-AZPS", "US"),
        ("US-NW-BPAT", "US-NW-BPAT"),
        ("IT-SO", "IT"),
        ("JP-HKD", "JP"),
        ("AU-WA", "AU"),
        ("CA-BC", "CA"),
        ("IN-NO", "IN"),
    ] {
        let annual = catalogue().annual(&zone(asked)).unwrap_or_else(|| panic!("{asked} has none"));
        assert_eq!(annual.zone, zone(answers), "{asked}");
    }
    assert_eq!(catalogue().canonical(&zone("CL-SIC")), zone("CL-SEN"));
    assert_eq!(catalogue().parent(&zone("DE")), None);
}

#[test]
fn an_unknown_zone_has_no_value() {
    for unknown in ["XX", "XX-1", "us", "DEU", "-", "USA-CAL"] {
        assert!(catalogue().annual(&zone(unknown)).is_none(), "{unknown}");
    }
}

#[test]
fn annual_values_are_the_published_ones() {
    for (name, grams_per_kwh, year) in
        [("FR", 52.87, 2023), ("PL", 749.28, 2023), ("US", 369.473, 2023), ("MY", 605.831, 2022), ("NO", 30.08, 2023)]
    {
        let annual = catalogue().annual(&zone(name)).unwrap();
        assert!((annual.value.get() - grams_per_kwh).abs() < 1e-9, "{name}");
        assert_eq!(annual.year, year, "{name}");
    }
}

#[test]
fn provincial_values_follow_from_the_generation_mix() {
    // Alberta: shares in percent times IPCC AR5 medians in g/kWh.
    let mix = [(73.5, 490.0), (0.02, 650.0), (2.0, 230.0), (8.0, 820.0), (3.2, 45.0), (11.3, 11.0), (1.8, 24.0)];
    let grams: f64 = mix.iter().map(|(share, factor)| share * factor).sum();
    let shares: f64 = mix.iter().map(|(share, _)| share).sum();
    let annual = catalogue().annual(&zone("CA-AB")).unwrap();
    assert!((annual.value.get() - grams / shares).abs() < 0.05, "{}", grams / shares);
}

#[test]
fn a_published_pue_keeps_its_year() {
    let stockholm = region(Provider::Aws, "eu-north-1").pue.unwrap();
    assert!((stockholm.value.get() - 1.1).abs() < 1e-12);
    assert_eq!(stockholm.year, 2024);
    assert_eq!(region(Provider::Aws, "eu-central-2").pue, None);
    assert_eq!(catalogue().regions().iter().filter(|region| region.pue.is_some()).count(), 62);
}

#[test]
fn provider_ids_name_the_provider() {
    let azure = "azure:///subscriptions/1/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/vm";
    assert_eq!(Provider::from_provider_id(azure), Some(Provider::Azure));
    for other in ["", "aws", "k3s://node", "gcp://project/zone/vm", "openstack:///1"] {
        assert_eq!(Provider::from_provider_id(other), None, "{other}");
    }
}
