//! The extender is asked to stop while it is being asked for scores.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kube_sci_e2e::extender_process::ExtenderProcess;
use kube_sci_e2e::wait::eventually;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::stage::{SOON, Stage, both_verbs};

#[tokio::test]
async fn requests_in_flight_are_answered_before_the_end() -> Result<()> {
    let stage = Stage::shared("shutdown").await?;
    stage.world.create_nodes(["green", "dirty"].map(|zone| stage.node_in(zone, zone))).await?;
    let config = stage.grid(&[("green", 30.0), ("dirty", 600.0)])?.config();
    let mut extender = stage.extender(&config).await?;
    let _scheduler = stage.scheduler([both_verbs(&extender).timeout(Duration::from_millis(500))]).await?;
    assert_eq!(stage.place(stage.pod_leaning_to("dirty", "before")).await?, "green");

    let body = stage.request("in-flight", &["green", "dirty"]).to_string();
    let (first, second) = body.split_at(body.len() / 2);
    let mut halves = Vec::new();
    for _ in 0..3 {
        halves.push(half_asked(&extender, first, body.len()).await?);
    }
    let address = extender.address();
    let finish = async {
        eventually(SOON, "new connections refused", async || match TcpStream::connect(address).await {
            Ok(_accepted) => Err("accepted"),
            Err(_refused) => Ok(()),
        })
        .await?;
        for stream in &mut halves {
            stream.write_all(second.as_bytes()).await?;
        }
        for mut stream in halves {
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            let (head, list) = answer.split_once("\r\n\r\n").context("no whole answer")?;
            ensure!(head.starts_with("HTTP/1.1 200"), "{head}");
            let scores: Vec<serde_json::Value> = serde_json::from_str(list).with_context(|| answer.clone())?;
            ensure!(scores.len() == 2, "{list}");
        }
        anyhow::Ok(())
    };
    let (status, finished) = tokio::join!(extender.process().stop(), finish);
    finished?;
    let status = status?;
    assert!(status.success(), "{status}");
    assert_eq!(stage.place(stage.pod_leaning_to("dirty", "after")).await?, "dirty");
    Ok(())
}

/// Sends the head and the first part of a request, and returns when the extender has had time to read the head: it
/// has answered another request on the same thread of events since.
async fn half_asked(extender: &ExtenderProcess, part: &str, length: usize) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(extender.address()).await?;
    let head = format!(
        "POST /v1/prioritize HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(part.as_bytes()).await?;
    stream.flush().await?;
    extender.get_text("/livez").await?;
    Ok(stream)
}
