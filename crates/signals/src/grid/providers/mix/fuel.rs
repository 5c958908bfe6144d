//! Kinds of plant, their codes and factors.

/// What drives a plant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::grid::providers) enum Fuel {
    /// Hard coal, lignite.
    Coal,
    /// Gas made of coal.
    CoalGas,
    /// Natural gas.
    Gas,
    /// Oil; oil shale and peat are folded in.
    Oil,
    /// Heat of the earth.
    Geothermal,
    /// Running and stored water.
    Hydro,
    /// Tides and waves.
    Marine,
    /// Fission.
    Nuclear,
    /// Biomass, waste, other renewables.
    Biomass,
    /// Sun.
    Solar,
    /// Wind at sea.
    WindOffshore,
    /// Wind on land.
    WindOnshore,
    /// What nobody names.
    Other,
}

/// What a publisher's code stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::grid::providers) enum Plant {
    /// Generates.
    Of(Fuel),
    /// Only moves energy in time.
    Storage,
    /// A code that is not known.
    Unknown,
}

impl Fuel {
    /// Emissions over the life cycle: IPCC AR5 WG3 Annex III medians; oil, solar (between rooftop and field) and
    /// others by convention.
    pub(in crate::grid::providers) const fn grams_per_kwh(self) -> f64 {
        match self {
            Self::Coal => 820.0,
            Self::CoalGas | Self::Gas => 490.0,
            Self::Oil => 650.0,
            Self::Geothermal => 38.0,
            Self::Hydro => 24.0,
            Self::Marine => 17.0,
            Self::Nuclear | Self::WindOffshore => 12.0,
            Self::Biomass => 230.0,
            Self::Solar => 45.0,
            Self::WindOnshore => 11.0,
            Self::Other => 700.0,
        }
    }

    /// Whether the weather decides how much it generates.
    pub(in crate::grid::providers) const fn is_weather(self) -> bool {
        matches!(self, Self::Solar | Self::WindOffshore | Self::WindOnshore)
    }
}

impl Plant {
    /// By the `psrType` of ENTSO-E.
    pub(in crate::grid::providers) fn of_psr_type(code: &str) -> Self {
        Self::Of(match code {
            "B02" | "B05" => Fuel::Coal,
            "B03" => Fuel::CoalGas,
            "B04" => Fuel::Gas,
            "B06" | "B07" | "B08" => Fuel::Oil,
            "B09" => Fuel::Geothermal,
            "B10" | "B11" | "B12" => Fuel::Hydro,
            "B13" => Fuel::Marine,
            "B14" => Fuel::Nuclear,
            "B01" | "B15" | "B17" => Fuel::Biomass,
            "B16" => Fuel::Solar,
            "B18" => Fuel::WindOffshore,
            "B19" => Fuel::WindOnshore,
            "B20" => Fuel::Other,
            "B25" => return Self::Storage,
            _ => return Self::Unknown,
        })
    }

    /// By the `fueltype` of EIA.
    pub(in crate::grid::providers) fn of_eia(code: &str) -> Self {
        Self::Of(match code {
            "COL" => Fuel::Coal,
            "NG" => Fuel::Gas,
            "OIL" => Fuel::Oil,
            "GEO" => Fuel::Geothermal,
            "WAT" => Fuel::Hydro,
            "NUC" => Fuel::Nuclear,
            "BIO" => Fuel::Biomass,
            "SUN" | "SNB" => Fuel::Solar,
            "WND" | "WNB" => Fuel::WindOnshore,
            "OTH" | "UNK" => Fuel::Other,
            "PS" | "BAT" | "OES" | "UES" => return Self::Storage,
            _ => return Self::Unknown,
        })
    }
}
