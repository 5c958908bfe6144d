//! All state of one zone's forecast.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{
    AnchoredProfile, Climatology, Declined, Forecast, ForecastError, HourlyHistory, MAX_HOURS, Method, Point,
    Scoreboard, Unfit,
    backlog::{Said, Track},
    history::{hourly_means, means},
    hour::Hour,
    per_method::PerMethod,
    persistence,
};
use crate::{
    intensity::{Quality, Series, Signal, Zone},
    quantity::GramsPerKwh,
};

/// Forecasts of a provider are kept for so many hours after they came to their hour.
const PROVIDER_PAST_HOURS: i64 = 24;

/// Learns a zone's intensity hour by hour and forecasts it.
///
/// Every hour that is observed is first compared with what all methods said about it, which moves their bounds
/// ([`Calibration`](super::Calibration)) and scores ([`Scoreboard`]); then every method is asked for the hours to
/// come. So a history given at once teaches the same as one that came live.
///
/// Memory is bounded, about 100 KiB: the history, and what each method said of the next day and, four times a day, of
/// the next three.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecaster {
    zone: Zone,
    signal: Signal,
    profile: AnchoredProfile,
    climatology: Option<Climatology>,
    provider: BTreeMap<Hour, GramsPerKwh>,
    history: HourlyHistory,
    tracks: PerMethod<Track>,
    scoreboard: Scoreboard,
}

impl Forecaster {
    /// Knows nothing yet.
    pub fn new(zone: Zone, signal: Signal) -> Self {
        Self {
            zone,
            signal,
            profile: AnchoredProfile::default(),
            climatology: None,
            provider: BTreeMap::new(),
            history: HourlyHistory::new(),
            tracks: PerMethod::default(),
            scoreboard: Scoreboard::default(),
        }
    }

    /// Replaces the parameters of the anchored profile.
    #[must_use]
    pub fn with_profile(self, profile: AnchoredProfile) -> Self {
        Self { profile, ..self }
    }

    /// Gives the table of usual values.
    #[must_use]
    pub fn with_climatology(self, climatology: Climatology) -> Self {
        Self { climatology: Some(climatology), ..self }
    }

    /// What was measured.
    pub fn history(&self) -> &HourlyHistory {
        &self.history
    }

    /// How well each method did, and which one is followed.
    pub fn scoreboard(&self) -> &Scoreboard {
        &self.scoreboard
    }

    /// Learns the hours of a series that are over at `now`. Hours known before are corrected without being scored
    /// again; the same series may be given again and again.
    ///
    /// # Errors
    /// [`ForecastError::Unlike`] for another zone or signal, [`ForecastError::NotObserved`] for values that say what
    /// was expected or is usual.
    pub fn observe(&mut self, series: &Series, now: Timestamp) -> Result<(), ForecastError> {
        self.check(series)?;
        let quality = series.quality();
        if !matches!(quality, Quality::Measured | Quality::Estimated | Quality::Modelled) {
            return Err(ForecastError::NotObserved { quality });
        }
        let means: Vec<_> = hourly_means(series, now).collect();
        let newest = means.last().map(|(hour, _)| *hour);
        for (hour, value) in means {
            let news = self.history.last().is_none_or(|(last, _)| hour > last);
            self.history.set(hour, value);
            if news {
                self.settle(hour, value);
                self.issue(hour.plus(1), Some(hour) == newest);
            }
        }
        Ok(())
    }

    /// Takes over a provider's forecast as known at `now`, at most seven days ahead. Hours that it does not speak of
    /// keep what an earlier one said.
    ///
    /// # Errors
    /// [`ForecastError::Unlike`] for another zone or signal.
    pub fn provide(&mut self, series: &Series, now: Timestamp) -> Result<(), ForecastError> {
        self.check(series)?;
        let present = Hour::containing(now);
        self.provider = self.provider.split_off(&present.plus(-PROVIDER_PAST_HOURS));
        let after = present.plus(i64::try_from(MAX_HOURS).unwrap_or(i64::MAX));
        self.provider.extend(means(series, present, after));
        Ok(())
    }

    /// Forecasts the hour that holds `now` and those after it, 1 to [`MAX_HOURS`] in all, by the method that does
    /// best. Where it cannot speak the next one does.
    ///
    /// # Errors
    /// [`ForecastError::NoMethod`] says what each method lacks.
    pub fn forecast(&self, now: Timestamp, hours: usize) -> Result<Forecast, ForecastError> {
        let mut able = Vec::with_capacity(Method::ALL.len());
        let mut declined = Vec::new();
        for method in Method::ALL {
            match self.said(method, now, hours) {
                Ok(said) => able.push((method, said)),
                Err(why) => declined.push(Declined { method, why }),
            }
        }
        let methods: Vec<_> = able.iter().map(|(method, _)| *method).collect();
        let chosen = self.scoreboard.choose(&methods);
        let Some((method, said)) = able.iter().find(|(method, _)| Some(*method) == chosen) else {
            return Err(ForecastError::NoMethod { declined });
        };
        let better = methods.iter().copied().take_while(|other| other != method);
        declined.extend(better.map(|other| Declined { method: other, why: Unfit::Outscored { by: *method } }));
        declined.sort_unstable_by_key(|declined| declined.method);
        Ok(self.finish(*method, now, said, declined))
    }

    /// As [`Self::forecast`], by one method whatever its score.
    ///
    /// # Errors
    /// [`ForecastError::NoMethod`] says what the method lacks.
    pub fn forecast_by(&self, method: Method, now: Timestamp, hours: usize) -> Result<Forecast, ForecastError> {
        match self.said(method, now, hours) {
            Ok(said) => Ok(self.finish(method, now, &said, Vec::new())),
            Err(why) => Err(ForecastError::NoMethod { declined: vec![Declined { method, why }] }),
        }
    }

    fn check(&self, series: &Series) -> Result<(), ForecastError> {
        if *series.zone() == self.zone && series.signal() == self.signal {
            return Ok(());
        }
        Err(ForecastError::Unlike {
            expected_zone: self.zone.clone(),
            expected_signal: self.signal,
            zone: series.zone().clone(),
            signal: series.signal(),
        })
    }

    fn settle(&mut self, hour: Hour, value: GramsPerKwh) {
        for method in Method::ALL {
            self.tracks.get_mut(method).settle(method, hour, value, &self.history, &mut self.scoreboard);
        }
    }

    /// What a provider says now was not known when earlier hours came, so it is asked at the newest one only. The
    /// choice is made there too.
    fn issue(&mut self, first: Hour, newest: bool) {
        let mut able = Vec::with_capacity(Method::ALL.len());
        for method in Method::ALL.into_iter().filter(|method| newest || *method != Method::Provider) {
            let Ok(said) = self.predict(method, first, Track::hours_to_issue(first)) else { continue };
            able.push(method);
            self.tracks.get_mut(method).issue(first, said);
        }
        if newest {
            self.scoreboard.decide(&able);
        }
    }

    fn said(&self, method: Method, now: Timestamp, hours: usize) -> Result<Vec<Said>, Unfit> {
        self.predict(method, Hour::containing(now), hours.clamp(1, MAX_HOURS))
    }

    fn predict(&self, method: Method, first: Hour, hours: usize) -> Result<Vec<Said>, Unfit> {
        let values = match method {
            Method::Provider => return self.predict_with_provider(first, hours),
            Method::AnchoredProfile => self.profile.predict(&self.history, first, hours),
            Method::Persistence => persistence(&self.history, first, hours),
            Method::Climatology => self.climatology.as_ref().ok_or(Unfit::NoTable)?.predict(first, hours),
        }?;
        Ok(values.into_iter().map(|value| Said { value, method }).collect())
    }

    /// The provider where it speaks, else the first of our own methods that can; up to the first hour of which
    /// neither knows.
    fn predict_with_provider(&self, first: Hour, hours: usize) -> Result<Vec<Said>, Unfit> {
        let last = first.plus(i64::try_from(hours).unwrap_or(i64::MAX) - 1);
        if self.provider.range(first..=last).next().is_none() {
            return Err(Unfit::NoProvider);
        }
        let own = [Method::AnchoredProfile, Method::Persistence, Method::Climatology]
            .into_iter()
            .find_map(|method| self.predict(method, first, hours).ok())
            .unwrap_or_default();
        let said: Vec<_> = (0_i64..)
            .zip(0..hours)
            .map_while(|(ahead, at)| {
                let provided = self.provider.get(&first.plus(ahead)).copied();
                provided.map(|value| Said { value, method: Method::Provider }).or_else(|| own.get(at).copied())
            })
            .collect();
        if said.is_empty() { Err(Unfit::NoProvider) } else { Ok(said) }
    }

    fn finish(&self, method: Method, now: Timestamp, said: &[Said], declined: Vec<Declined>) -> Forecast {
        let first = Hour::containing(now);
        let known = self.history.last_before(first).map_or(first.plus(-1), |(last, _)| last);
        let mut calibrated = true;
        let points = (0_i64..)
            .zip(said)
            .map(|(ahead, said)| {
                let hour = first.plus(ahead);
                let lead = usize::try_from(hour.since(known)).unwrap_or(1);
                let bounds = self.tracks.get(said.method).calibration.bounds(lead, said.value);
                calibrated &= bounds.calibrated;
                Point {
                    start: hour.start(),
                    value: said.value,
                    lower: bounds.lower,
                    upper: bounds.upper,
                    method: said.method,
                }
            })
            .collect();
        Forecast { zone: self.zone.clone(), signal: self.signal, issued_at: now, method, declined, calibrated, points }
    }
}
