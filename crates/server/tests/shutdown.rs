//! How a program ends.

use std::{
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use actix_web::web;
use kube_sci_server::{
    config::ListenConfig,
    http,
    supervise::{SuperviseError, Supervisor},
};
use tokio::sync::{Notify, oneshot};

use crate::pki::{Authority, Secret};
use crate::support::{bind, client, eventually, in_time, loopback, shared};

const GRACE: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn requests_in_flight_are_answered_before_the_tasks_are_cancelled() {
    let shared = shared();
    let entered = Arc::new(Notify::new());
    let release = Arc::new(Notify::new());
    let (entered_here, release_here) = (Arc::clone(&entered), Arc::clone(&release));
    let server = http::serve(&loopback(), &shared, move |routes| {
        let (entered, release) = (Arc::clone(&entered_here), Arc::clone(&release_here));
        let slow = move || {
            let (entered, release) = (Arc::clone(&entered), Arc::clone(&release));
            async move {
                entered.notify_one();
                release.notified().await;
                "done"
            }
        };
        routes.service(web::resource("/slow").route(web::get().to(slow)));
    })
    .unwrap();
    let address = server.addresses()[0];
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut supervisor = Supervisor::new(GRACE);
    let in_task = Arc::clone(&order);
    supervisor.spawn_graceful("writer", |stop| async move {
        stop.cancelled().await;
        in_task.lock().unwrap().push("task cancelled");
    });

    let (stop, stopped) = oneshot::channel::<()>();
    let health = shared.health.clone();
    let program = tokio::spawn(async move { supervisor.run(server, &shared, async { stopped.await.unwrap() }).await });
    let in_request = Arc::clone(&order);
    let request = tokio::spawn(async move {
        let text = client().get(format!("http://{address}/slow")).send().await.unwrap().text().await.unwrap();
        in_request.lock().unwrap().push("request answered");
        text
    });

    in_time("request reached the handler", entered.notified()).await;
    stop.send(()).unwrap();
    eventually("draining", async || !health.report(Instant::now()).is_ready()).await;
    eventually("listener closed", async || tokio::net::TcpStream::connect(address).await.is_err()).await;
    assert!(order.lock().unwrap().is_empty(), "a task was cancelled before the request was answered");
    release.notify_one();

    assert_eq!(in_time("answer", request).await.unwrap(), "done");
    in_time("end", program).await.unwrap().unwrap();
    // The answer leaves the server before the task is told; the client may notice a moment later.
    let mut seen = order.lock().unwrap().clone();
    seen.sort_unstable();
    assert_eq!(seen, ["request answered", "task cancelled"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_keep_alive_connection_does_not_hold_up_the_end() {
    let shared = shared();
    let server = bind(&loopback(), &shared);
    let url = format!("http://{}/livez", server.addresses()[0]);
    let (stop, stopped) = oneshot::channel::<()>();
    let program =
        tokio::spawn(
            async move { Supervisor::new(GRACE).run(server, &shared, async { stopped.await.unwrap() }).await },
        );
    let pooled = reqwest::Client::builder().no_proxy().build().unwrap();
    assert_eq!(pooled.get(&url).send().await.unwrap().text().await.unwrap(), "ok");

    let asked = Instant::now();
    stop.send(()).unwrap();
    in_time("end", program).await.unwrap().unwrap();
    assert!(asked.elapsed() < GRACE / 2, "took {:?}", asked.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_http_2_connection_does_not_hold_up_the_end() {
    let authority = Authority::new("servers");
    let secret = Secret::with_pair(&authority.server());
    let shared = shared();
    let server = bind(&ListenConfig { tls: Some(secret.config()), ..loopback() }, &shared);
    let url = format!("https://localhost:{}/livez", server.addresses()[0].port());
    let (stop, stopped) = oneshot::channel::<()>();
    let program =
        tokio::spawn(
            async move { Supervisor::new(GRACE).run(server, &shared, async { stopped.await.unwrap() }).await },
        );
    let root = reqwest::Certificate::from_pem(authority.pem.as_bytes()).unwrap();
    let pooled = reqwest::Client::builder().no_proxy().tls_certs_only([root]).build().unwrap();
    let response = pooled.get(&url).send().await.unwrap();
    assert_eq!(response.version(), reqwest::Version::HTTP_2);
    assert_eq!(response.text().await.unwrap(), "ok");

    let asked = Instant::now();
    stop.send(()).unwrap();
    in_time("end", program).await.unwrap().unwrap();
    assert!(asked.elapsed() < GRACE / 2, "took {:?}", asked.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_end_in_time_is_dropped_within_the_grace_period() {
    let shared = shared();
    let listen = ListenConfig { shutdown_grace_seconds: 2, ..loopback() };
    let server = http::serve(&listen, &shared, |routes| {
        routes.service(web::resource("/never").route(web::get().to(async || pending::<&'static str>().await)));
    })
    .unwrap();
    let url = format!("http://{}/never", server.addresses()[0]);
    let mut supervisor = Supervisor::new(listen.shutdown_grace());
    supervisor.spawn_graceful("stubborn", |_stop| async { pending::<()>().await });
    let (stop, stopped) = oneshot::channel::<()>();
    let in_flight = shared.registry.clone();
    let program = tokio::spawn(async move { supervisor.run(server, &shared, async { stopped.await.unwrap() }).await });
    let request = tokio::spawn(async move { client().get(url).send().await });
    eventually("request in flight", async || {
        in_flight.encode().unwrap().contains("kube_sci_http_requests_in_flight 1\n")
    })
    .await;

    let asked = Instant::now();
    stop.send(()).unwrap();
    in_time("end", program).await.unwrap().unwrap();
    assert!(asked.elapsed() < Duration::from_secs(3), "took {:?}", asked.elapsed());
    in_time("cut off", request).await.unwrap().unwrap_err();
}

/// The error of a program in which a task ends on its own.
async fn death(prepare: impl FnOnce(&mut Supervisor)) -> SuperviseError {
    let shared = shared();
    let server = bind(&loopback(), &shared);
    let mut supervisor = Supervisor::new(GRACE);
    prepare(&mut supervisor);
    in_time("end", supervisor.run(server, &shared, pending())).await.unwrap_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_ends_ends_the_program() {
    let error = death(|supervisor| supervisor.spawn("observer", async {})).await;
    assert!(matches!(error, SuperviseError::Ended { name: "observer" }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_fails_ends_the_program_with_its_error() {
    let error = death(|supervisor| supervisor.spawn("observer", async { Err::<(), _>("no API server") })).await;
    let SuperviseError::Failed { name: "observer", source } = &error else { panic!("{error:?}") };
    assert_eq!(source.to_string(), "no API server");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_panics_ends_the_program_with_its_message() {
    let fuse = AtomicBool::new(true);
    let error = death(|supervisor| {
        supervisor.spawn("observer", async move { assert!(!fuse.load(Ordering::Relaxed), "index out of step") });
    })
    .await;
    assert_eq!(error.to_string(), "task observer panicked: index out of step");
}
