//! Answers in the shapes that were recorded.

mod electricity_maps;
mod generation;
mod own;
mod uk;
mod watt_time;

use http::StatusCode;
use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use super::api::{Api, Question};
use super::guard::{Fault, Refusal};
use super::world::{Curve, World};

const JSON: &str = "application/json";
const XML: &str = "text/xml";

/// What is sent, but for the faults of the way.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) content_type: &'static str,
    pub(super) body: Vec<u8>,
    pub(super) retry_after: Option<u64>,
}

/// A question, the table, and what is wrong with its values.
pub(super) struct Play<'p> {
    world: &'p World,
    question: &'p Question,
    faults: &'p [Fault],
}

impl Answer {
    fn json(status: StatusCode, body: &Value) -> Self {
        Self::new(status, JSON, body.to_string().into())
    }

    fn new(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Self {
        Self { status, content_type, body, retry_after: None }
    }
}

impl<'p> Play<'p> {
    fn now(&self) -> Timestamp {
        self.world.now()
    }

    /// The values behind a name at the API that is asked.
    fn curve(&self, name: &str) -> Option<Curve> {
        self.world.curve(self.question.api, name)
    }

    /// A value as the API tells it: `scale` times g/kWh, or what a fault makes of it.
    fn number(&self, curve: Curve, at: Timestamp, scale: f64) -> Option<f64> {
        let mut value = Some(curve.at(at) * scale);
        for fault in self.faults {
            match fault {
                Fault::Nulls => value = None,
                Fault::Values(number) => value = Some(*number),
                _ => {}
            }
        }
        value
    }

    /// A parameter that is an instant, else the default.
    fn instant(&self, name: &str, default: Timestamp) -> Timestamp {
        self.question.parameter(name).parse().unwrap_or(default)
    }

    fn parameter(&self, name: &str) -> &'p str {
        self.question.parameter(name)
    }
}

/// What an API says when all is well, or when it knows nothing of the place.
pub(super) fn answer(world: &World, question: &Question, faults: &[Fault]) -> Answer {
    let play = Play { world, question, faults };
    match question.api {
        Api::ElectricityMaps => electricity_maps::answer(&play),
        Api::WattTime => watt_time::answer(&play),
        Api::Uk => uk::answer(&play),
        Api::EntsoE => generation::entso_e(&play),
        Api::Eia => generation::eia(&play),
        Api::CarbonAwareSdk => own::carbon_aware_sdk(&play),
        Api::Exporter => own::page(&play),
        Api::Prometheus => own::query(&play),
    }
}

/// Refusals as recorded.
pub(super) fn refused(api: Api, refusal: Refusal) -> Answer {
    let unauthorized = StatusCode::UNAUTHORIZED;
    match refusal {
        Refusal::TooMany(seconds) => {
            let body = json!({ "error": "Too many requests" });
            Answer { retry_after: seconds, ..Answer::json(StatusCode::TOO_MANY_REQUESTS, &body) }
        }
        Refusal::Unauthorized => match api {
            Api::ElectricityMaps => Answer::json(unauthorized, &json!({ "error": "Invalid auth-token" })),
            Api::Eia => {
                let error = json!({ "code": "API_KEY_INVALID", "message": "An invalid api_key was supplied." });
                Answer::json(StatusCode::FORBIDDEN, &json!({ "error": error }))
            }
            Api::EntsoE => {
                Answer::new(unauthorized, XML, b"<html>Unauthorized. Missing or invalid token</html>".into())
            }
            _ => Answer::json(unauthorized, &json!({ "error": "Unauthorized" })),
        },
        Refusal::NotInPlan => match api {
            Api::ElectricityMaps => {
                Answer::json(unauthorized, &json!({ "error": "Your plan has no access to this zone" }))
            }
            _ => Answer::json(StatusCode::FORBIDDEN, &json!({ "error": "Not allowed by your plan" })),
        },
    }
}

/// An instant in UTC by a `strftime` pattern.
fn text(instant: Timestamp, pattern: &str) -> String {
    instant.to_zoned(TimeZone::UTC).strftime(pattern).to_string()
}
