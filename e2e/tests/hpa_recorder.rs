//! The model of the autoscaler beside the real one, live.

use anyhow::Result;
use kube_sci_e2e::control_plane::Options;
use kube_sci_e2e::hpa_recorder::{self, cases};
use kube_sci_e2e::testing;

/// All of them are in `sci-core/tests/hpa`, recorded; here the recorder itself is tested, and that nothing has changed.
#[tokio::test]
async fn a_sample_of_the_recorded_situations_still_comes_out_as_the_model_says() -> Result<()> {
    let plane = testing::control_plane_with(Options::fast_autoscaler()).await?;
    let cases = cases::sample();
    let recordings = hpa_recorder::record(&plane, &cases).await?;
    assert_eq!(recordings.len(), cases.len());
    let differences: Vec<String> = recordings.iter().flat_map(hpa_recorder::differences).collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    Ok(())
}
