//! What policies may say about an intensity.

use serde_json::{Value, json};

#[derive(Clone, Copy)]
pub enum Curve {
    Steps,
    Linear,
}

/// Two steps, or a line, over a range of intensities.
pub struct Curves {
    lowest: f64,
    highest: f64,
}

impl Curves {
    const LEAST: f64 = 0.4;
    const MIDDLE: f64 = 0.7;

    pub fn over((lowest, highest): (f64, f64)) -> Self {
        Self { lowest, highest }
    }

    fn step(&self, third: f64) -> f64 {
        (self.lowest + (self.highest - self.lowest) * third / 3.0).round()
    }

    pub fn factor(&self, curve: Curve, intensity: f64) -> f64 {
        match curve {
            Curve::Steps if intensity >= self.step(2.0) => Self::LEAST,
            Curve::Steps if intensity >= self.step(1.0) => Self::MIDDLE,
            Curve::Steps => 1.0,
            Curve::Linear => {
                let share = (intensity - self.lowest) / (self.highest - self.lowest);
                1.0 - share.clamp(0.0, 1.0) * (1.0 - Self::LEAST)
            }
        }
    }

    /// As a policy has it.
    pub fn spec(&self, curve: Curve) -> Value {
        match curve {
            Curve::Steps => json!({ "steps": [
                { "atOrAbove": self.step(1.0), "factor": Self::MIDDLE },
                { "atOrAbove": self.step(2.0), "factor": Self::LEAST },
            ] }),
            Curve::Linear => json!({ "linear": { "from": self.lowest, "to": self.highest, "minFactor": Self::LEAST } }),
        }
    }
}
