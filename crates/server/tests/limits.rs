//! What is refused, and how the refusal reads.

use kube_sci_server::{
    config::ListenConfig,
    http::{self, ErrorBody, ServeError},
};
use reqwest::{Method, header};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{Running, client, eventually, in_time, loopback, routes, shared};

async fn error_of(response: reqwest::Response) -> String {
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
    response.json::<ErrorBody>().await.unwrap().error
}

#[tokio::test]
async fn plain_http_off_loopback_is_refused_unless_asked_for() {
    let open = ListenConfig { address: "0.0.0.0:0".parse().unwrap(), ..loopback() };
    let error = http::serve(&open, &shared(), routes).unwrap_err();
    assert!(matches!(error, ServeError::PlainHttp { .. }), "{error:?}");
    let advice = error.to_string();
    assert!(advice.contains("server.tls") && advice.contains("server.plainHttp: true"), "{advice}");

    http::serve(&ListenConfig { plain_http: true, ..open }, &shared(), routes).unwrap();
    http::serve(&loopback(), &shared(), routes).unwrap();
}

#[tokio::test]
async fn numbers_that_must_not_be_zero_are_named() {
    let error = http::serve(&ListenConfig { workers: 0, ..loopback() }, &shared(), routes).unwrap_err();
    assert!(error.to_string().contains("server.workers"), "{error}");
}

#[tokio::test]
async fn a_body_announced_too_large_is_refused_with_413() {
    let running = Running::start(&ListenConfig { max_body_bytes: 1000, ..loopback() });
    let response = client().post(running.url("/echo")).body(vec![b' '; 1001]).send().await.unwrap();
    assert_eq!(response.status(), 413);
    assert!(error_of(response).await.contains("1000 bytes"));

    let largest = client().post(running.url("/echo")).body(vec![b' '; 1000]).send().await.unwrap();
    assert_eq!(largest.text().await.unwrap(), "1000");
}

#[tokio::test]
async fn a_body_of_many_megabytes_gets_its_413_not_a_reset() {
    let running = Running::start(&loopback());
    let response = client().post(running.url("/echo")).body(vec![b' '; 40_000_000]).send().await.unwrap();
    assert_eq!(response.status(), 413);
    assert!(error_of(response).await.contains("larger than"));
}

#[tokio::test]
async fn a_body_of_unknown_length_is_read_up_to_the_limit() {
    let running = Running::start(&loopback());
    let mut socket = TcpStream::connect(running.addresses[0]).await.unwrap();
    socket.write_all(b"POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
    let chunk = [format!("{:x}\r\n", 1 << 20).as_bytes(), &vec![b' '; 1 << 20], b"\r\n"].concat();
    for _ in 0..5 {
        // The answer may come, and the rest be refused, before the last chunk is written.
        if socket.write_all(&chunk).await.is_err() {
            break;
        }
    }
    let mut answer = vec![0; 12];
    in_time("answer", socket.read_exact(&mut answer)).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&answer), "HTTP/1.1 413");
}

#[tokio::test]
async fn bodies_in_several_pieces_are_put_together() {
    let running = Running::start(&loopback());
    for size in [0, 1, 100_000, 3_000_000] {
        let response = client().post(running.url("/echo")).body(vec![b' '; size]).send().await.unwrap();
        assert_eq!(response.text().await.unwrap(), size.to_string());
    }
}

#[tokio::test]
async fn an_unknown_path_is_named_in_a_404() {
    let running = Running::start(&loopback());
    let response = client().get(running.url("/v1/prioritise")).send().await.unwrap();
    assert_eq!(response.status(), 404);
    assert!(error_of(response).await.contains("/v1/prioritise"));
}

#[tokio::test]
async fn a_wrong_method_gets_a_405_that_says_what_is_allowed() {
    let running = Running::start(&loopback());
    let response = client().get(running.url("/echo")).send().await.unwrap();
    assert_eq!(response.status(), 405);
    assert_eq!(response.headers()[header::ALLOW], "POST");
    assert!(error_of(response).await.contains("POST"));
}

#[tokio::test]
async fn a_bad_path_parameter_is_a_json_error() {
    let running = Running::start(&loopback());
    let response = client().get(running.url("/items/seven")).send().await.unwrap();
    assert_eq!(response.status(), 404);
    assert!(error_of(response).await.contains("seven"));
}

#[tokio::test]
async fn a_connection_that_sends_no_request_is_closed() {
    let running = Running::start(&loopback());
    let mut socket = TcpStream::connect(running.addresses[0]).await.unwrap();
    socket.write_all(b"POST /echo HTTP/1.1\r\nhost: x\r\n").await.unwrap();
    let mut answer = Vec::new();
    in_time("end of the slow request", socket.read_to_end(&mut answer)).await.unwrap();
    assert!(String::from_utf8_lossy(&answer).starts_with("HTTP/1.1 408"), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn requests_are_counted_by_route_not_by_path() {
    let running = Running::start(&loopback());
    for path in ["/items/1", "/items/2", "/nowhere", "/elsewhere"] {
        client().get(running.url(path)).send().await.unwrap();
    }
    let count = |route: &str, outcome: &str| {
        let labels = format!("route=\"{route}\",method=\"GET\",outcome=\"{outcome}\"");
        running.sample(&format!("kube_sci_http_requests_total{{{labels}}}"))
    };
    assert_eq!(count("/items/{id}", "2xx"), Some(2.0));
    assert_eq!(count("unmatched", "4xx"), Some(2.0));
    let page = client().get(running.url("/metrics")).send().await.unwrap();
    assert!(page.headers()[header::CONTENT_TYPE].to_str().unwrap().starts_with("application/openmetrics-text"));
    assert!(page.text().await.unwrap().ends_with("# EOF\n"));
    assert_eq!(running.shared.registry.undescribed().unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_client_that_leaves_is_counted_as_aborted() {
    let running = Running::start_with(&loopback(), shared(), |routes| {
        routes.service(
            actix_web::web::resource("/never")
                .route(actix_web::web::get().to(async || std::future::pending::<&'static str>().await)),
        );
    });
    let in_flight = async |count| running.sample("kube_sci_http_requests_in_flight") == Some(count);
    let request = tokio::spawn(client().get(running.url("/never")).send());
    eventually("request in flight", || in_flight(1.0)).await;
    request.abort();
    let aborted = "kube_sci_http_requests_total{route=\"/never\",method=\"GET\",outcome=\"aborted\"}";
    eventually("counted", async || running.sample(aborted) == Some(1.0)).await;
    assert!(in_flight(0.0).await);
}

#[tokio::test]
async fn the_probe_address_answers_probes_and_nothing_else() {
    let probe_address = Some("127.0.0.1:0".parse().unwrap());
    let running = Running::start(&ListenConfig { probe_address, ..loopback() });
    let probe = |method: Method, path: &str| {
        client().request(method, format!("http://{}{path}", running.addresses[1])).body("debug").send()
    };
    for path in ["/livez", "/readyz", "/readyz?verbose", "/metrics"] {
        assert_eq!(probe(Method::GET, path).await.unwrap().status(), 200, "{path}");
    }
    for (method, path) in [(Method::GET, "/whoami"), (Method::POST, "/echo"), (Method::PUT, "/log-level")] {
        assert_eq!(probe(method, path).await.unwrap().status(), 404, "{path}");
    }
    assert_eq!(client().get(running.url("/whoami")).send().await.unwrap().text().await.unwrap(), "loopback");
}
