//! The scheduler talks TLS: certificates change, and not every client is welcome.

use std::path::PathBuf;

use anyhow::{Context, Result};
use kube_sci_e2e::control_plane::{ExtenderEntry, ExtenderTls};
use kube_sci_e2e::extender_process::{self, ADDRESS, ExtenderProcess, shipped_binary};
use kube_sci_e2e::pki::{Authority, KeyPairFiles, Subject};
use kube_sci_e2e::wait::eventually;
use reqwest::tls::TlsInfo;

use super::stage::{SOON, Stage, both_verbs, counter};

/// The extender behind TLS, its authority, and where that one's certificate lies.
struct Secured<'s> {
    stage: &'s Stage<'s>,
    authority: Authority,
    authority_file: PathBuf,
    serving: KeyPairFiles,
}

impl<'s> Secured<'s> {
    async fn prepare(stage: &'s Stage<'s>) -> Result<Self> {
        stage.world.create_nodes(["green", "dirty"].map(|zone| stage.node_in(zone, zone))).await?;
        let (folder, name) = (stage.plane.folder(), stage.full("authority"));
        let authority = Authority::new(&name)?;
        let authority_file = authority.write(folder)?;
        let serving = authority.issue(folder, &stage.full("serving"), &serving_subject("first"))?;
        Ok(Self { stage, authority, authority_file, serving })
    }

    /// A client of the extender; `identity` is its certificate.
    fn client(&self, identity: Option<&KeyPairFiles>) -> Result<reqwest::Client> {
        let trusted = reqwest::Certificate::from_pem(self.authority.pem().as_bytes())?;
        let mut builder = reqwest::Client::builder().no_proxy().tls_certs_only([trusted]).tls_info(true);
        if let Some(KeyPairFiles { certificate, key }) = identity {
            let pem = [std::fs::read(key)?, std::fs::read(certificate)?].concat();
            builder = builder.identity(reqwest::Identity::from_pem(&pem)?);
        }
        Ok(builder.build()?)
    }

    async fn start(&self, client_verification: &str, client: reqwest::Client) -> Result<ExtenderProcess> {
        let grid = self.stage.grid(&[("green", 30.0), ("dirty", 600.0)])?;
        let KeyPairFiles { certificate, key } = &self.serving;
        let config = format!(
            "server:\n  address: {ADDRESS}\n  tls:\n    certFile: {}\n    keyFile: {}\n{client_verification}{}",
            certificate.display(),
            key.display(),
            grid.config()
        );
        let options = extender_process::options(shipped_binary()?, self.stage.plane);
        let options = options.name(&self.stage.full("extender")).config(config).https(client);
        Ok(ExtenderProcess::start(self.stage.plane, options).await?)
    }

    fn entry(&self, extender: &ExtenderProcess, client: Option<&KeyPairFiles>) -> ExtenderEntry {
        both_verbs(extender).tls(ExtenderTls {
            ca_file: Some(self.authority_file.clone()),
            server_name: Some("localhost".to_owned()),
            client: client.map(|files| (files.certificate.clone(), files.key.clone())),
        })
    }
}

fn serving_subject(name: &str) -> Subject {
    Subject::server(format!("{name} certificate"), &["localhost"])
}

#[tokio::test]
async fn certificates_are_rotated_under_traffic() -> Result<()> {
    let stage = Stage::shared("rotation").await?;
    let secured = Secured::prepare(&stage).await?;
    let extender = secured.start("", secured.client(None)?).await?;
    let mut scheduler = stage.scheduler([secured.entry(&extender, None)]).await?;
    assert_eq!(stage.place(stage.pod_leaning_to("dirty", "before")).await?, "green");
    assert!(served_certificate(&secured, &extender).await?.contains("first certificate"));

    let folder = stage.plane.folder();
    secured.authority.issue(folder, &stage.full("serving"), &serving_subject("second"))?;
    let mut pods = 0;
    eventually(SOON, "the second certificate", async || {
        pods += 1;
        let pod = stage.pod_leaning_to("dirty", &format!("during-{pods}"));
        let node = stage.place(pod).await.map_err(|error| error.to_string())?;
        assert_eq!(node, "green");
        let served = served_certificate(&secured, &extender).await.map_err(|error| format!("{error:#}"))?;
        if served.contains("second certificate") { Ok(()) } else { Err("the first one") }.map_err(str::to_owned)
    })
    .await?;
    // The old connection goes on, and a new one meets the new certificate.
    assert_eq!(stage.place(stage.pod_leaning_to("dirty", "after")).await?, "green");
    scheduler.restart().await?;
    assert_eq!(stage.place(stage.pod_leaning_to("dirty", "reconnected")).await?, "green");
    assert_eq!(counter(&extender, "prioritize_requests", "outcome", "scored").await?, pods + 3);
    Ok(())
}

#[tokio::test]
async fn a_wrong_client_certificate_is_refused_and_the_right_one_accepted() -> Result<()> {
    let stage = Stage::shared("client-certificates").await?;
    let secured = Secured::prepare(&stage).await?;
    let folder = stage.plane.folder();
    let subject = Subject::client("system:kube-scheduler", None);
    let right = secured.authority.issue(folder, &stage.full("right"), &subject)?;
    // The same name, vouched for by somebody else.
    let wrong = Authority::new("nobody")?.issue(folder, &stage.full("wrong"), &subject)?;
    let verification =
        format!("    clientCaFile: {}\n    requireClientCertificate: true\n", secured.authority_file.display());
    let extender = secured.start(&verification, secured.client(Some(&right))?).await?;

    for (name, client, expected) in
        [("wrong", Some(&wrong), "dirty"), ("none", None, "dirty"), ("right", Some(&right), "green")]
    {
        let _scheduler = stage.scheduler_named(name, secured.entry(&extender, client)).await?;
        let pod = stage.pod_leaning_to("dirty", name).scheduler(&stage.full(name));
        assert_eq!(stage.place(pod).await?, expected, "{name}");
        let asked = secured.client(client)?.get(extender.url("/v1/nodes")).send().await;
        assert_eq!(asked.is_ok_and(|answer| answer.status().is_success()), expected == "green", "{name}");
    }
    assert_eq!(counter(&extender, "prioritize_requests", "outcome", "scored").await?, 1);
    Ok(())
}

/// What a new connection is shown, as text: names in a certificate are readable in it.
async fn served_certificate(secured: &Secured<'_>, extender: &ExtenderProcess) -> Result<String> {
    let answer = secured.client(None)?.get(extender.url("/livez")).send().await?;
    let info = answer.extensions().get::<TlsInfo>().context("no TLS")?;
    Ok(String::from_utf8_lossy(info.peer_certificate().context("no certificate")?).into_owned())
}
